"""Recordings are written tick by tick, kept within their bounds, and never harm a match."""

import os
from pathlib import Path

from server.matches.recorder import Recorder
from server.runtime.journal import GivenUp, Header, read
from server.runtime.run import Limits
from tests.server.runtime.recorded import played

PLENTY = 1_000_000


def header(match_id: str = "m.n") -> Header:
    return Header("1", match_id, "n", "games", "Dice", "", 7, 10, Limits())


def test_a_recording_is_read_back(tmp_path: Path) -> None:
    recorder, entries = Recorder(tmp_path / "new", PLENTY, 10), played().entries
    recording = recorder.open(header())
    assert recording is not None

    for each in entries:
        recording.write(each)
    recording.close()

    (file,) = (tmp_path / "new").iterdir()
    assert list(read(file.read_bytes())[1]) == entries
    assert file.stat().st_mode & 0o077 == 0
    assert (recorder.counts.started, recorder.counts.finished) == (1, 1)


def test_each_tick_is_in_the_file_when_it_is_over(tmp_path: Path) -> None:
    recording = Recorder(tmp_path, PLENTY, 10).open(header())
    assert recording is not None
    (file,) = tmp_path.iterdir()
    entries = played(ticks=5).entries
    last = max(at for at, each in enumerate(entries) if type(each.asked).__name__ == "Step")

    for each in entries[: last + 1]:
        recording.write(each)

    assert list(read(file.read_bytes())[1]) == entries[: last + 1]
    recording.close()


def test_a_recording_ends_at_its_size(tmp_path: Path) -> None:
    recorder, entries = Recorder(tmp_path, 2000, 10), played().entries
    recording = recorder.open(header())
    assert recording is not None

    for each in entries:
        recording.write(each)
    recording.close()

    (file,) = tmp_path.iterdir()
    kept = list(read(file.read_bytes())[1])
    assert file.stat().st_size <= 2000
    *kept, last = kept
    assert 0 < len(kept) < len(entries)
    assert kept == entries[: len(kept)]
    assert isinstance(last.asked, GivenUp)
    assert last.asked.reason == "matches.record_max_mb is reached"
    assert (recorder.counts.truncated, recorder.counts.finished) == (1, 0)


def test_the_oldest_make_room(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, PLENTY, 2)

    for at, name in enumerate(["a", "b", "c"]):
        recording = recorder.open(header(name))
        assert recording is not None
        recording.close()
        os.utime(tmp_path / f"{name}.lockgate", (at, at))

    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.lockgate", "c.lockgate"]


def test_a_folder_that_cannot_be_made_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(tmp_path / "file", PLENTY, 2)

    assert recorder.open(header()) is None
    assert recorder.counts.failed == 1


def test_a_full_disk_ends_the_recording_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, PLENTY, 10)
    recording = recorder.open(header())
    assert recording is not None
    recording._file.close()
    with Path("/dev/full").open("ab", buffering=0) as full:
        recording._file = full
        for each in played().entries:
            recording.write(each)
        recording.close()

    assert (recorder.counts.failed, recorder.counts.finished) == (1, 0)
