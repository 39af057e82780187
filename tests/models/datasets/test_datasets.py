"""Sequences, data sets, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp import Interactions, InvalidInputError
from negsamp_models.datasets import (
    Dataset,
    DatasetError,
    ItemAttributes,
    Sequences,
    read_attributes,
    read_dataset,
    read_sequences,
)

LISTS = st.lists(st.lists(st.integers(1, 9), max_size=7), max_size=6)
TINY = "1 1 2 3 4\n2 4 3 2 1 5\n"
TINY_ATTRIBUTES = json.dumps({"1": [1], "2": [2, 2], "5": [3, 1]})


def lists_of(sequences: Sequences) -> list[list[int]]:
    return [items.tolist() for items in sequences]


class TestSequences:
    @given(LISTS, st.integers(0, 9))
    def test_parts_agree_with_list_slices(self, lists: list[list[int]], count: int) -> None:
        sequences = Sequences.from_lists(lists)
        assert lists_of(sequences) == lists
        assert lists_of(sequences.last(count)) == [
            items[max(len(items) - count, 0) :] for items in lists
        ]
        assert lists_of(sequences.without_first(count)) == [items[count:] for items in lists]
        assert lists_of(sequences.without_last(count)) == [
            items[: max(len(items) - count, 0)] for items in lists
        ]
        assert sequences.lengths.tolist() == [len(items) for items in lists]
        assert sequences.num_actions == sum(map(len, lists))

    def test_indexing_is_that_of_a_list(self) -> None:
        sequences = Sequences.from_lists([[4, 5], [], [6]])
        assert len(sequences) == 3
        assert sequences[0].tolist() == [4, 5]
        assert sequences[1].tolist() == []
        assert sequences[-1].tolist() == [6]
        for outside in (3, -4):
            with pytest.raises(IndexError):
                sequences[outside]
        with pytest.raises(TypeError):
            sequences[0:2]  # type: ignore[index]

    def test_taking_some(self) -> None:
        sequences = Sequences.from_lists([[4, 5], [], [6]])
        assert lists_of(sequences.take(np.array([2, 0, 1, 2]))) == [[6], [4, 5], [], [6]]
        assert lists_of(sequences.take(np.empty(0, np.int64))) == []
        with pytest.raises(IndexError):
            sequences.take(np.array([3]))

    def test_rows_are_read_only_views_and_the_callers_arrays_stay_writeable(self) -> None:
        item_ids, offsets = np.array([1, 2, 3]), np.array([0, 2, 3])
        sequences = Sequences(item_ids, offsets)
        assert np.shares_memory(sequences[1], item_ids)
        with pytest.raises(ValueError, match="read-only"):
            sequences[0][0] = 9
        with pytest.raises(ValueError, match="read-only"):
            sequences.offsets[0] = 1
        item_ids[0] = 7
        assert sequences[0].tolist() == [7, 2]

    def test_small_integers_become_int64(self) -> None:
        sequences = Sequences(np.array([1, 2], np.int32), np.array([0, 2], np.uint8))
        assert sequences.item_ids.dtype == sequences.offsets.dtype == np.int64

    def test_counts(self) -> None:
        sequences = Sequences.from_lists([[2, 2], [4]])
        assert sequences.item_counts(5).tolist() == [0, 0, 2, 0, 1, 0]
        with pytest.raises(
            InvalidInputError, match=r"item_ids must be in \[0, 3\]; got 4 at place 2"
        ):
            sequences.item_counts(3)

    def test_interactions_take_them(self) -> None:
        interactions = Interactions.from_sequences(Sequences.from_lists([[3, 1, 3], [], [2]]))
        assert [interactions.items_of(user).tolist() for user in range(3)] == [[1, 3], [], [2]]

    @pytest.mark.parametrize(
        ("item_ids", "offsets", "message"),
        [
            ([[1, 2]], [0, 2], r"item_ids must be one-dimensional.*shape \(1, 2\)"),
            ([1.0, 2.0], [0, 2], "integers that fit int64.*float64"),
            (np.array([1], np.uint64), [0, 1], "integers that fit int64.*uint64"),
            ([1, 2], [1, 2], r"offsets must go from 0 to 2, len\(item_ids\); got 1 to 2"),
            ([1, 2], [0, 1], "got 0 to 1"),
            ([1, 2], np.empty(0, np.int64), "got nothing"),
            ([1, 2], [0, 2, 1, 2], r"offsets must not decrease; offsets\[2\] does"),
        ],
    )
    def test_what_are_no_compressed_rows(
        self, item_ids: object, offsets: object, message: str
    ) -> None:
        with pytest.raises(InvalidInputError, match=message):
            Sequences(np.asarray(item_ids), np.asarray(offsets))

    def test_ids_that_are_no_integers(self) -> None:
        with pytest.raises(InvalidInputError, match="integers"):
            Sequences.from_lists([[1, 2.5]])  # type: ignore[list-item]

    @pytest.mark.parametrize("count", [-1, 1.0])
    @pytest.mark.parametrize("part", ["last", "without_first", "without_last"])
    def test_counts_that_are_none(self, part: str, count: float) -> None:
        with pytest.raises(
            InvalidInputError, match=f"count must be an integer, at least 0; got {count}"
        ):
            getattr(Sequences.from_lists([[1]]), part)(count)


class TestDataset:
    def test_statistics_and_counts(self) -> None:
        dataset = Dataset("tiny", Sequences.from_lists([[1, 2], [2, 2, 3], [1]]), num_items=4)
        statistics = dataset.statistics()
        assert statistics == (3, 4, 6, 2.0, 0.5)
        assert statistics.average_length == 2.0
        assert statistics.density == 0.5
        assert dataset.num_users == 3
        assert dataset.item_counts().tolist() == [0, 2, 3, 1, 0]

    @pytest.mark.parametrize("item", [0, 4])
    def test_items_out_of_range(self, item: int) -> None:
        with pytest.raises(InvalidInputError, match=rf"in \[1, 3\]; got {item} at place 1"):
            Dataset("tiny", Sequences.from_lists([[1, item]]), num_items=3)

    def test_attributes_of_other_items(self) -> None:
        attributes = ItemAttributes(np.array([1]), np.array([0, 0, 1]))
        with pytest.raises(
            InvalidInputError, match="must be of the 2 items of the data set; got those of 1"
        ):
            Dataset("tiny", Sequences.from_lists([[1, 2]]), 2, attributes)

    def test_attributes_of_the_padding(self) -> None:
        with pytest.raises(InvalidInputError, match="row 0 of the attributes is padding"):
            ItemAttributes(np.array([1]), np.array([0, 1, 1]))

    def test_attribute_zero(self) -> None:
        with pytest.raises(InvalidInputError, match="attribute_ids must be at least 1; got 0"):
            ItemAttributes(np.array([2, 0]), np.array([0, 0, 2]))


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class TestFiles:
    @pytest.mark.parametrize(
        "text",
        [TINY, TINY.removesuffix("\n"), TINY.replace("\n", "\r\n"), TINY.replace(" ", " \t ")],
        ids=["lf", "no final line end", "crlf", "tabs"],
    )
    def test_reading(self, tmp_path: Path, text: str) -> None:
        sequences = read_sequences(written(tmp_path, "tiny.txt", text))
        assert lists_of(sequences) == [[1, 2, 3, 4], [4, 3, 2, 1, 5]]

    def test_a_data_set_with_attributes(self, tmp_path: Path) -> None:
        dataset = read_dataset(
            written(tmp_path, "tiny.txt", TINY), written(tmp_path, "tiny.json", TINY_ATTRIBUTES)
        )
        assert (dataset.name, dataset.num_users, dataset.num_items) == ("tiny", 2, 5)
        assert dataset.attributes is not None
        assert [dataset.attributes[item].tolist() for item in range(6)] == [
            [], [1], [2, 2], [], [], [3, 1],
        ]  # fmt: skip
        assert dataset.attributes.num_attributes == 3

    @pytest.mark.parametrize(
        ("text", "line", "message"),
        [
            ("", 1, "the file is empty"),
            (" \n", 1, "the file is empty"),
            ("1 1 2 3 4\n\n2 1 2 3 4\n", 2, "the line is blank; remove it"),
            ("1 1 2 3 4\n\n", 2, "the line is blank"),
            ("1 1 2 3 4\n2 1 x 3 4\n", 2, "'x' is not an id; ids are whole numbers from 1"),
            ("1 1 2 3.0 4\n", 1, "'3.0' is not an id"),
            ("1 1 2 -3 4\n", 1, "'-3' is not an id"),
            ("1 1 2 1_0 4\n", 1, "'1_0' is not an id"),
            ("1 1 2 3 4\r2 1 2 3 4\n", 1, "'4\\r2' is not an id"),
            ("1 1 2 ٣ 4\n", 1, "'\\u0663' is not an id"),
            ("1 1 2 3 " + 19 * "9" + "\n", 1, f"'{19 * '9'}' is not an id"),
            ("1 1 2 3 4\n2 1 0 3 4\n", 2, "item 0 is padding; item ids are whole numbers from 1"),
            ("1 1 2 3 4\n1 1 2 3 4\n", 2, "user 1 is already in line 1"),
            ("1 1 2 3 4\n3 1 2 3 4\n", 2, "expected user 2; got user 3"),
            ("0 1 2 3 4\n", 1, "expected user 1; got user 0"),
            ("1 1 2 3 4\n2 1 2 3\n3 1\n", 2, "user 2 has 3 items, at least 4 are needed; drop"),
            ("1 1 2 3 4\n2 1 6 3 7\n3 6 1 2 3\n", 2, "item 6 occurs, but no line has item 5; "),
            ("1 2 3 4 5\n", 1, "item 2 occurs, but no line has item 1"),
        ],
    )  # fmt: skip
    def test_what_a_sequence_file_must_not_be(
        self, tmp_path: Path, text: str, line: int, message: str
    ) -> None:
        path = written(tmp_path, "bad.txt", text)
        with pytest.raises(DatasetError) as caught:
            read_sequences(path)
        assert str(caught.value).startswith(f"{path}, line {line}: {message}")

    def test_the_remedies(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"drop users with fewer \(2 here\) and renumber"):
            read_sequences(written(tmp_path, "short.txt", "1 1 2 3 4\n2 1 2 3\n3 1\n"))
        with pytest.raises(DatasetError, match="renumber the items 1 to 4, without gaps"):
            read_sequences(written(tmp_path, "gap.txt", "1 1 2 3 5\n"))
        with pytest.raises(DatasetError, match=r"number the users 1, 2, 3, \.\.\. in the order"):
            read_sequences(written(tmp_path, "user.txt", "2 1 2 3 4\n"))

    def test_bytes_that_are_not_utf8(self, tmp_path: Path) -> None:
        path = written(tmp_path, "bad.txt", b"1 1 2 3 4\n2 1 2 \xff 4\n")
        with pytest.raises(DatasetError, match="line 2: byte 0xff is not UTF-8"):
            read_sequences(path)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"cannot read .*none\.txt: No such file"):
            read_sequences(tmp_path / "none.txt")

    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("", "line 1", "the file is empty"),
            ('{"1": [1],\n "2" [2]}', "line 2, column 6", "not JSON: Expecting ':' delimiter"),
            ("[[1]]", "line 1", "expected one JSON object"),
            ('{"1": [1],\n"3": [1]}', "line 2", "'3' is not an item of the sequences; "),
            ('{"0": [1]}', "line 1", "'0' is not an item"),
            ('{"cream": [1]}', "line 1", "'cream' is not an item"),
            ('{\n"1": [1],\n"1": [2]}', "line 3", "item 1 is given twice"),
            ('{"1": 4}', "line 1", "the attributes of item 1 must be a list; got 4"),
            ('{"1": {"2": 3}}', "line 1", "the attributes of item 1 must be a list; got {'2': 3}"),
            ('{"1": [1],\n\n"2": [1, 0]}', "line 3", "item 2 has the attribute 0; attribute ids"),
            ('{"1": [true]}', "line 1", "item 1 has the attribute True"),
            ('{"1": ["2"]}', "line 1", "item 1 has the attribute '2'"),
            ('{"1": [1.0]}', "line 1", "item 1 has the attribute 1.0"),
            ('{"1": [1e40]}', "line 1", "item 1 has the attribute 1e+40"),
        ],
    )  # fmt: skip
    def test_what_an_attribute_file_must_not_be(
        self, tmp_path: Path, text: str, place: str, message: str
    ) -> None:
        path = written(tmp_path, "bad.json", text)
        with pytest.raises(DatasetError) as caught:
            read_attributes(path, num_items=2)
        assert str(caught.value).startswith(f"{path}, {place}: {message}")

    def test_a_long_value_is_shown_short(self, tmp_path: Path) -> None:
        path = written(tmp_path, "bad.txt", f"1 1 2 3 {500 * 'x'}\n")
        with pytest.raises(DatasetError, match=r"'x{39}\.\.\. is not an id"):
            read_sequences(path)
