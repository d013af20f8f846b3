"""Whether files can be written is found out before a run; behind it, as much as possible is."""

import io
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from loadtest.capacity import Capacity
from loadtest.failures import SwarmError
from loadtest.outputs import Outputs
from loadtest.result import read
from tests.support.swarm_results import result


def outputs_in(folder: Path) -> tuple[Outputs, list[Path]]:
    files = [folder / name for name in ("swarm.json", "swarm.html", "swarm.xml")]
    return Outputs(json=files[0], html=files[1], junit=files[2]), files


def test_what_was_asked_for_is_written_where_there_was_no_folder(tmp_path: Path) -> None:
    outputs, files = outputs_in(tmp_path / "out")
    said = io.StringIO()

    outputs.check()
    outputs.keep(result(verdict="failed"), said)

    assert read(files[0]) == result(verdict="failed")
    assert b"<html" in files[1].read_bytes()
    assert ElementTree.parse(files[2]).getroot().tag == "testsuites"
    assert said.getvalue().splitlines() == [f"written: {file}" for file in files]


def test_a_search_has_one_file(tmp_path: Path) -> None:
    outputs, (found, *others) = outputs_in(tmp_path)

    outputs.keep(Capacity(players=7, bounded_by="server", tried=[]), io.StringIO())

    assert b'"players": 7' in found.read_bytes()
    assert not any(other.exists() for other in others)


def test_a_check_leaves_files_as_they_are(tmp_path: Path) -> None:
    outputs, (earlier, *others) = outputs_in(tmp_path)
    earlier.write_text("of the run before")

    outputs.check()

    assert earlier.read_text() == "of the run before"
    assert not any(other.exists() for other in others)


def test_what_cannot_be_written_is_named_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SwarmError, match=r"cannot write .*x\.json: (File exists|Not a directory)"):
        Outputs(tmp_path / "file" / "x.json").check()
    with pytest.raises(SwarmError, match="it is a folder"):
        Outputs(html=tmp_path).check()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    with pytest.raises(SwarmError, match=r"cannot write .*x\.xml: no permission"):
        Outputs(junit=tmp_path / "x.xml").check()
    Outputs(junit=tmp_path / "file").check()


def test_two_results_in_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    with pytest.raises(SwarmError, match="two results cannot both go to"):
        Outputs(tmp_path / "x", junit=tmp_path / "in" / ".." / "x").check()


def test_what_cannot_be_written_after_all_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    outputs, (found, page, cases) = outputs_in(tmp_path)
    outputs.check()
    found.mkdir()
    cases.mkdir()

    with pytest.raises(SwarmError, match=r"cannot write .*\.json: Is a .*; cannot write .*\.xml: Is a "):
        outputs.keep(result(), io.StringIO())
    assert b"<html" in page.read_bytes()
