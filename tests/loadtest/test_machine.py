"""What a result says of the machine, and what it must not."""

import getpass
import os
import socket
import subprocess
from pathlib import Path

import msgspec
import pytest

from loadtest.machine import commit, cpu_model, describe, network
from loadtest.plan import Plan

AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one source, committed."""
    git(tmp_path, "init", "-q")
    (tmp_path / "source.py").write_text("one\n")
    git(tmp_path, "add", "source.py")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_machine_is_described() -> None:
    machine = describe(Plan())

    assert machine.cpu_model
    assert machine.cpus == os.cpu_count()
    assert machine.memory_bytes > 2**26
    assert machine.open_files > 0
    assert {"python", "lockgate", "websockets", "aiohttp", "uvloop", "msgspec", "hdrhistogram"} <= set(
        machine.versions
    )
    assert machine.network == "loopback"


def test_a_machine_is_not_named() -> None:
    told = msgspec.json.encode(describe(Plan(url="https://127.0.0.1:7350"))).decode()

    assert "/home" not in told
    assert str(Path(__file__).parents[2]) not in told
    assert f'"{socket.gethostname()}"' not in told
    assert f"/{getpass.getuser()}" not in told


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("http://127.0.0.1:7350", "loopback"),
        ("https://127.8.9.1:7350", "loopback tls"),
        ("http://[::1]:7350", "loopback"),
        ("http://localhost:7350", "loopback"),
        ("https://192.0.2.7:7350", "network tls"),
        ("http://name.invalid:7350", "network"),
        ("http://", "network"),
    ],
)
def test_the_way_to_the_server_is_told(url: str, way: str) -> None:
    assert network(Plan(url=url)) == way


def test_players_on_other_machines_come_over_the_network() -> None:
    assert network(Plan(agents=["127.0.0.1:7360"])) == "loopback"
    assert network(Plan(agents=["127.0.0.1:7360", "192.0.2.8:7360"])) == "network"


def test_a_checkout_tells_its_commit(checkout: Path) -> None:
    assert commit(checkout / "source.py") == git(checkout, "rev-parse", "HEAD")


def test_changed_sources_are_no_longer_that_commit(checkout: Path) -> None:
    (checkout / "source.py").write_text("two\n")

    assert commit(checkout / "source.py") == f"{git(checkout, 'rev-parse', 'HEAD')}-dirty"


def test_a_tag_does_not_hide_the_commit(checkout: Path) -> None:
    git(checkout, "tag", "-a", "v1", "-m", "v1")

    assert commit(checkout / "source.py") == git(checkout, "rev-parse", "HEAD")


def test_a_copy_within_anothers_checkout_tells_none(checkout: Path) -> None:
    copy = checkout / "venv" / "copy.py"
    copy.parent.mkdir()
    copy.write_text("one\n")

    assert commit(copy) == ""


def test_sources_outside_a_checkout_tell_none(tmp_path: Path) -> None:
    assert commit(tmp_path / "source.py") == ""
    assert commit(tmp_path / "nowhere" / "source.py") == ""


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert commit(checkout / "source.py") == ""


def test_another_repository_in_the_environment_is_not_asked(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))

    assert commit(checkout / "source.py") == expected


def test_the_processor_is_named_as_the_kernel_does(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 17\nmodel name\t: Some CPU @ 2 GHz\n")

    assert cpu_model(cpuinfo) == "Some CPU @ 2 GHz"


def test_a_processor_without_a_name_is_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU part\t: 0xd0c\n")

    assert cpu_model(tmp_path / "cpuinfo")
    assert cpu_model(tmp_path / "nowhere")
