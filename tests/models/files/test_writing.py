"""Result files are written whole or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from negsamp import InvalidInputError
from negsamp_models.files.environment import environment
from negsamp_models.files.source import PACKAGES, digest_of, source_folders
from negsamp_models.files.writing import check_writable, write_json, write_whole


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.json"
    write_json(path, {"a": 1})

    def fail(target: Path) -> None:
        target.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_whole(path, fail)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "taken.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_json(str(path), {"a": 1})
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_on_another_file_names_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for elsewhere in (False, True):

        def fail(temporary: Path, elsewhere: bool = elsewhere) -> None:
            raise OSError(28, "No space left", "/dev/full" if elsewhere else str(temporary))

        with pytest.raises(OSError, match="No space left") as caught:
            write_whole("mine.json", fail)
        assert caught.value.filename == ("/dev/full" if elsewhere else "mine.json")


def test_a_folder_in_whose_place_is_a_file_is_refused(tmp_path: Path) -> None:
    write_json(str(tmp_path / "file"), 1)
    message = f"results cannot be written to {tmp_path / 'file'}: it is a file; name another folder"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        check_writable(str(tmp_path / "file"))


def test_what_cannot_be_made_of_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "deeper" / "still"
    with pytest.raises(InvalidInputError, match=f"{folder}: {tmp_path / 'file'} is a file; name"):
        check_writable(folder)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "new"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = rf"folder 'new' cannot be created in {tmp_path} \(Permission denied\); name another"
    with pytest.raises(InvalidInputError, match=message):
        check_writable(tmp_path / "new" / "run")


def test_numbers_that_json_has_not_are_refused_before_writing(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert not path.exists()


def test_a_result_names_the_code_that_made_it(tmp_path: Path) -> None:
    source = environment(torch.device("cpu"))["source"]
    assert len(source) == 12
    assert int(source, 16) >= 0
    assert [folder.name for folder in source_folders()] == list(PACKAGES)
    (tmp_path / "package").mkdir()
    code = tmp_path / "package" / "draw.py"
    digests = set()
    for text in ("alpha = 1", "alpha = 2"):
        code.write_text(text)
        digests.add(digest_of([tmp_path / "package"]))
    code.rename(code.with_name("law.py"))
    digests.add(digest_of([tmp_path / "package"]))
    assert len(digests) == 3
    code.write_text("other")
    (tmp_path / "package" / "notes.txt").write_text("no code")
    before = digest_of([tmp_path / "package"])
    (tmp_path / "package" / "notes.txt").unlink()
    assert digest_of([tmp_path / "package"]) == before
