"""Where data sets come from: a folder, the environment, the cache, a server."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from negsamp import NegSampError
from negsamp_models.datasets import (
    DATASETS,
    DatasetError,
    PublishedDataset,
    Sequences,
    load_dataset,
    sources,
)

TINY = "1 1 2 3 4\n2 4 3 2 1 5\n"
TINY_ATTRIBUTES = json.dumps({"1": [1], "2": [2, 2], "5": [3, 1]})


def lists_of(sequences: Sequences) -> list[list[int]]:
    return [items.tolist() for items in sequences]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of a published data set Tiny (alias T), the only one there is."""
    folder = tmp_path / "published"
    folder.mkdir()
    files = {"Tiny.txt": TINY, "Tiny_item2attributes.json": TINY_ATTRIBUTES}
    checksums = [
        hashlib.sha256(written(folder, name, content).read_bytes()).hexdigest()
        for name, content in files.items()
    ]
    monkeypatch.setattr(
        sources, "DATASETS", (PublishedDataset("Tiny", "T", "Published.", *checksums),)
    )
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("NEGSAMP_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[..., BaseHTTPRequestHandler]], str]]:
    """Start servers on this machine; each call returns the address of one."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/data/"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


class FolderHandler(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/data"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class CutOffHandler(FolderHandler):
    """Promises more bytes than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(TINY.encode())


Serve = Callable[[Callable[..., BaseHTTPRequestHandler]], str]


@pytest.mark.usefixtures("tiny")
class TestLoading:
    def test_from_a_folder(self, tiny: Path) -> None:
        for name in ("Tiny", "T"):
            dataset = load_dataset(name, tiny)
            assert (dataset.name, dataset.description) == ("Tiny", "Published.")
            assert lists_of(dataset.sequences) == [[1, 2, 3, 4], [4, 3, 2, 1, 5]]
            assert dataset.attributes is None

    def test_with_attributes(self, tiny: Path) -> None:
        dataset = load_dataset("Tiny", str(tiny), attributes=True)
        assert dataset.attributes is not None
        assert dataset.attributes[5].tolist() == [3, 1]

    def test_from_the_environment_and_data_dir_goes_first(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NEGSAMP_DATA", str(tiny))
        assert load_dataset("Tiny").num_items == 5
        with pytest.raises(DatasetError, match=r"Tiny\.txt is missing: data_dir is "):
            load_dataset("Tiny", tmp_path)

    @pytest.mark.parametrize("given_by", ["data_dir", "NEGSAMP_DATA"])
    def test_a_file_that_is_missing_from_the_folder_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_by: str
    ) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        for name in ("b.txt", "a.txt"):
            written(folder, name, TINY)
        monkeypatch.setenv("NEGSAMP_DATA", str(folder))
        with pytest.raises(DatasetError) as caught:
            load_dataset("Tiny", folder if given_by == "data_dir" else None)
        message = str(caught.value)
        assert f"{folder / 'Tiny.txt'} is missing" in message
        assert f"{given_by} is {folder}, which holds a.txt, b.txt;" in message
        assert not (tmp_path / "cache").exists()

    def test_a_folder_with_many_files_is_not_listed_whole(self, tmp_path: Path) -> None:
        folder = tmp_path / "many"
        folder.mkdir()
        for number in range(23):
            written(folder, f"{number:02}.txt", "")
        with pytest.raises(DatasetError, match=r"18\.txt, 19\.txt and 3 more;"):
            load_dataset("Tiny", folder)

    def test_a_folder_that_is_none(self, tiny: Path) -> None:
        with pytest.raises(DatasetError, match="none, which is not a folder"):
            load_dataset("Tiny", tiny / "none")

    def test_a_changed_file(self, tiny: Path) -> None:
        path = written(tiny, "Tiny.txt", TINY + "3 1 2 3 4\n")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        with pytest.raises(DatasetError) as caught:
            load_dataset("Tiny", tiny)
        assert str(caught.value).startswith(
            f"{path} is not the published file: its SHA-256 is {found}, expected "
            f"{sources.DATASETS[0].sequences_sha256}; delete it"
        )
        assert load_dataset("Tiny", tiny, verify=False).num_users == 3

    def test_a_changed_attribute_file(self, tiny: Path) -> None:
        written(tiny, "Tiny_item2attributes.json", "{}")
        assert load_dataset("Tiny", tiny).num_users == 2
        with pytest.raises(DatasetError, match="json is not the published file"):
            load_dataset("Tiny", tiny, attributes=True)

    def test_files_of_ones_own(self, tiny: Path) -> None:
        written(tiny, "mine.txt", TINY + "3 1 2 3 4\n")
        dataset = load_dataset("mine", tiny)
        assert (dataset.name, dataset.num_users) == ("mine", 3)
        with pytest.raises(DatasetError, match=r"mine_item2attributes\.json is missing"):
            load_dataset("mine", tiny, attributes=True)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("tiny", "did you mean 'Tiny'? "),
            ("mien", "did you mean 'mine'? "),
            ("syntetic", "did you mean 'synthetic'? "),
            ("zzz", ""),
        ],
    )
    def test_an_unknown_name(self, tiny: Path, name: str, hint: str) -> None:
        written(tiny, "mine.txt", TINY)
        with pytest.raises(DatasetError) as caught:
            load_dataset(name, tiny)
        message = str(caught.value)
        assert message.startswith(f"unknown data set {name!r}: {hint}known are Tiny, T, synthetic;")
        assert message.endswith(f"data_dir is {tiny}, which holds Tiny, mine")

    def test_an_unknown_name_in_a_folder_that_was_not_named(
        self, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tiny / "folder.txt").mkdir()
        monkeypatch.setenv("NEGSAMP_DATA", str(tiny))
        with pytest.raises(DatasetError) as caught:
            load_dataset("folder")
        assert "did you mean" not in str(caught.value)
        assert str(caught.value).endswith(
            "holds Tiny; name another folder by data_dir (--data-dir)"
        )

    def test_an_unknown_name_where_no_data_are(self, tmp_path: Path) -> None:
        written(tmp_path, "README.md", "no data")
        with pytest.raises(DatasetError, match=r"which holds no data set$"):
            load_dataset("mine", tmp_path)

    def test_a_path_is_no_name(self, tiny: Path) -> None:
        written(tiny, "mine.txt", TINY)
        with pytest.raises(DatasetError, match=r"unknown data set '\.\./published/mine'"):
            load_dataset("../published/mine", tiny)

    def test_a_log_is_no_data_set(self, tiny: Path) -> None:
        with pytest.raises(DatasetError, match=r"; negsamp prepare logs/log\.csv makes a data set"):
            load_dataset("logs/log.csv", tiny)

    def test_synthetic_needs_no_folder(self, tiny: Path) -> None:
        dataset = load_dataset("synthetic", tiny / "none")
        assert dataset.name == "synthetic"
        assert dataset.attributes is not None

    def test_download(self, tiny: Path, tmp_path: Path, serve: Serve) -> None:
        address = serve(partial(FolderHandler, directory=str(tiny)))
        dataset = load_dataset("T", attributes=True, base_url=address)
        assert lists_of(dataset.sequences) == [[1, 2, 3, 4], [4, 3, 2, 1, 5]]
        cached = tmp_path / "cache" / "negsamp"
        names = ["Tiny.txt", "Tiny_item2attributes.json"]
        assert sorted(path.name for path in cached.iterdir()) == names
        assert all((cached / name).read_bytes() == (tiny / name).read_bytes() for name in names)
        nowhere = "http://127.0.0.1:9/"
        assert load_dataset("Tiny", base_url=nowhere).num_users == 2

    def test_a_download_with_another_checksum_leaves_nothing(
        self, tiny: Path, tmp_path: Path, serve: Serve
    ) -> None:
        written(tiny, "Tiny.txt", TINY + "3 1 2 3 4\n")
        address = serve(partial(FolderHandler, directory=str(tiny)))
        with pytest.raises(DatasetError) as caught:
            load_dataset("Tiny", base_url=address)
        message = str(caught.value)
        assert message.startswith(f"{address}Tiny.txt is not the published file: ")
        assert sources.DATASETS[0].sequences_sha256 in message
        assert list((tmp_path / "cache" / "negsamp").iterdir()) == []

    def test_a_download_that_is_cut_off_leaves_nothing(
        self, tiny: Path, tmp_path: Path, serve: Serve
    ) -> None:
        address = serve(partial(CutOffHandler, directory=str(tiny)))
        with pytest.raises(DatasetError, match="cannot download"):
            load_dataset("Tiny", base_url=address)
        assert list((tmp_path / "cache" / "negsamp").iterdir()) == []

    def test_a_server_without_the_file(self, tmp_path: Path, serve: Serve) -> None:
        address = serve(partial(FolderHandler, directory=str(tmp_path)))
        with pytest.raises(DatasetError, match=f"cannot download {address}Tiny.txt: 404"):
            load_dataset("Tiny", base_url=address)

    def test_no_network(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            load_dataset("Tiny", base_url="http://127.0.0.1:9")
        message = str(caught.value)
        assert message.startswith("cannot download http://127.0.0.1:9/Tiny.txt: ")
        path = tmp_path / "cache" / "negsamp" / "Tiny.txt"
        assert f"{path} is missing; get the file from {sources.DATA_URL} by hand" in message
        assert "data_dir or NEGSAMP_DATA" in message

    def test_a_damaged_file_in_the_cache(self, tmp_path: Path) -> None:
        cached = tmp_path / "cache" / "negsamp"
        cached.mkdir(parents=True)
        written(cached, "Tiny.txt", TINY[:7])
        with pytest.raises(DatasetError, match="is not the published file"):
            load_dataset("Tiny")

    def test_without_pooch(self, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pooch", None)
        assert load_dataset("Tiny", tiny).num_users == 2
        with pytest.raises(DatasetError, match=r'pip install "negsamp\[models\]"'):
            load_dataset("Tiny")

    def test_errors_are_those_of_negsamp(self) -> None:
        assert issubclass(DatasetError, NegSampError)
        assert issubclass(DatasetError, ValueError)


def test_importing_the_data_room_loads_no_downloader() -> None:
    code = "import sys, negsamp_models.datasets; print([*{'pooch', 'requests'} & {*sys.modules}])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_published_four() -> None:
    assert [(each.name, each.alias) for each in DATASETS] == [
        ("Beauty", None),
        ("Sports_and_Outdoors", "Sports"),
        ("Toys_and_Games", "Toys"),
        ("Yelp", None),
    ]
    checksums = [checksum for each in DATASETS for checksum in each.checksums.values()]
    assert len(set(checksums)) == 8
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in checksums)
