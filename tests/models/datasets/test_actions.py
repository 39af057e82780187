"""A log of actions becomes a data set, as a plain version makes it; errors name the line."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp_models.datasets import Dataset, DatasetError, Sequences, dataset_of, read_actions

Rows = list[tuple[str, str, float]]
ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.integers(0, 20).map(float)),
    max_size=60,
)


def plainly(rows: Rows, least: int) -> dict[str, list[str]]:
    """Return the items of each user that is left, in order of time."""
    rows = sorted(rows, key=lambda row: row[2])
    while True:
        of_users, of_items = (Counter(row[column] for row in rows) for column in (0, 1))
        left = [
            row for row in rows if of_users[row[0]] >= max(least, 4) and of_items[row[1]] >= least
        ]
        if left == rows:
            break
        rows = left
    histories = defaultdict(list)
    for user, item, _ in rows:
        histories[user].append(item)
    return histories


@given(ROWS, st.integers(1, 6))
def test_a_log_is_cut_and_numbered_as_plainly(rows: Rows, least: int) -> None:
    lines = ["timestamp,item,user", *(f"{time},{item},{user}" for user, item, time in rows)]
    actions, expected = read_actions(lines), plainly(rows, least)
    if not expected:
        with pytest.raises(DatasetError, match="nothing is left of"):
            dataset_of("log", actions, least)
        return
    named = dataset_of("log", actions, least)
    assert named.user_names == list(expected)
    found = [
        [named.item_names[item - 1] for item in items.tolist()] for items in named.dataset.sequences
    ]
    assert found == list(expected.values())
    firsts = dict.fromkeys(named.dataset.sequences.item_ids.tolist())
    assert sorted(firsts) == list(range(1, named.dataset.num_items + 1))


def test_items_are_numbered_as_they_first_appear() -> None:
    lines = ["user,item", "b,z", "a,z", "b,y", "a,y", "b,z", "a,z", "b,y", "a,y"]
    named = dataset_of("log", read_actions(lines, time=None), 1)
    assert (named.user_names, named.item_names) == (["b", "a"], ["z", "y"])
    assert [items.tolist() for items in named.dataset.sequences] == [[1, 2, 1, 2]] * 2


@pytest.mark.parametrize(
    "times",
    [
        ["10", "9", "1e1"],
        ["2024-05-01", "2024-04-30T23:00:00", "2024-05-01T00:00:00Z"],
        ["2024-05-01T02:00:00+03:00", "2024-04-30", "2024-04-30T23:00"],
        ["1714521600000000001", "1714521600000000000", "1714521600000000001"],
        ["-1", "-2", "-0.5"],
        ["10000000000000000000", "9", "1e19"],
    ],
)
def test_times_are_numbers_or_dates_and_equal_ones_keep_their_lines(times: list[str]) -> None:
    lines = ["user\titem\twhen", *(f"a\t{item}\t{time}" for item, time in enumerate(times))]
    actions = read_actions(lines, time="when", delimiter="\t")
    assert [actions.item_names[item] for item in actions.items] == ["1", "0", "2"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line names no column 'user', but none"),
        (["users,item,timestamp"], "no column 'user', but 'users', .*; did you mean 'users'"),
        (["user,item,timestamp", "a,b"], "line 2 has 2 columns, and 3 are read"),
        (["user,item,timestamp", "a,b,1", "", ",b,1"], "line 4 has no 'user'"),
        (["user,item,timestamp", "a,,1"], "line 2 has no 'item'"),
        (
            ["user,item,timestamp", "a,b,1", "a,b,2024-05-01"],
            "line 3 has timestamp '2024-",
        ),
        (["user,item,timestamp", "a,b,soon"], "'soon', which is not a date, as in 2024-05-01T12"),
        (
            ["user,item,timestamp", "a,b,1", "a,b,nan"],
            "line 3 has .*'nan', .* not a number",
        ),
        (["user,item,timestamp", '"' + "x" * 200_000], "line 2 cannot be read: field larger"),
        (["user,item,timestamp", 'a,"b,1', "a,c,2"], "unexpected end of data; what begins with"),
        (["user,item,item,timestamp"], "names 2 columns 'item': rename one"),
        (["user;item;timestamp"], "are columns separated by ','"),
        (["user,item,timestamp", "a,b,1", "a,b,"], "line 3 has no 'timestamp'"),
    ],
)
def test_what_is_wrong_with_a_log_names_its_line(lines: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_actions(lines)


@pytest.mark.parametrize("lines", [["user,item,timestamp"], ["user,item,timestamp", "a,b,1"]])
def test_a_log_that_leaves_nothing_says_so(lines: list[str]) -> None:
    said = r"left of [01] actions? by users of 4 or more, with items of 1 or more: give more data"
    with pytest.raises(DatasetError, match=said):
        dataset_of("log", read_actions(lines), 1)


def test_names_may_hold_line_ends_and_delimiters() -> None:
    lines = ["user,item,timestamp\r\n", '1,"a, ""b""\r\n', 'c",2\r\n', "2,d,1\r\n"]
    actions = read_actions(lines)
    assert (actions.user_names, actions.item_names) == (["1", "2"], ['a, "b"\r\nc', "d"])
    assert actions.users.tolist() == [1, 0]


def test_users_who_return_in_the_end_are_counted() -> None:
    lists = [[1, 2, 3, 1], [1, 2, 3, 4], [2, 2, 1, 3, 3], [4, 4, 1, 2]]
    assert Dataset("four", Sequences.from_lists(lists), 4).share_of_returns() == 0.5
    some = Sequences.from_lists([[], [1, 1], [], [1], []])
    assert Dataset("some", some, 4).share_of_returns() == 0.2
    assert Dataset("none", Sequences.from_lists([]), 4).share_of_returns() == 0.0
