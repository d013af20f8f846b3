"""What `make` does before there is anything to run, and what the locked requirements promise."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = [
    "run",
    "test",
    "check",
    "bench",
    "soak",
    "soak-players",
    "fuzz",
    "fuzz-frames",
    "swarm",
    "e2e",
    "lock",
    "clean",
    "help",
]
TOOLS = ("sh", "id", "touch", "sed", "awk")

MAKE = shutil.which("make")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of what make reads, in a folder whose name has a space."""
    copy = tmp_path / "a checkout"
    shutil.copytree(ROOT / "requirements", copy / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    return copy


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if MAKE is None:
        pytest.skip("make is not installed")
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [MAKE, *words], cwd=folder, env={**outer, **environment}, capture_output=True, text=True, timeout=120
    )


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with a few tools and the given programs, whose names are written with `_` for a dot."""
    path = folder / "programs"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(str(shutil.which(tool)))
    for name, text in scripts.items():
        program = path / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
    return str(path)


def test_help_lists_every_target(folder: Path) -> None:
    listed = make(folder).stdout

    assert [line.split()[1] for line in listed.splitlines()] == TARGETS


def test_without_a_python_the_needed_version_is_told(folder: Path) -> None:
    done = make(folder, "run", PATH=programs(folder, python3="exit 1"))

    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr


def test_without_venv_the_command_that_installs_it_is_told(folder: Path) -> None:
    blocked = folder / "blocked"
    blocked.mkdir()
    (blocked / "ensurepip.py").write_text("raise ImportError")
    path = programs(folder, python3=f'exec "{sys.executable}" "$@"')

    done = make(folder, "run", PATH=path, PYTHONPATH=str(blocked))

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode != 0
    assert f"apt-get install -y python{version}-venv" in done.stderr
    assert not (folder / ".venv").exists()


def test_a_python_that_does_not_start_is_passed_over(folder: Path) -> None:
    path = programs(
        folder, python3_13="exit 127", python3_12="exit 127", python3=f'exec "{sys.executable}" "$@"'
    )

    done = make(folder, ".venv/bin/python", PATH=path)

    assert done.returncode == 0, done.stderr
    assert (folder / ".venv/bin/python").exists()


def test_a_second_run_installs_nothing(folder: Path) -> None:
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    (folder / ".venv/run.stamp").touch()

    done = make(folder, "-n", "run")

    assert done.stdout.splitlines() == ["exec .venv/bin/python -m server serve --dev "]


@pytest.mark.parametrize("changed", ["requirements/run.txt", "pyproject.toml"])
def test_a_changed_requirement_is_installed(folder: Path, changed: str) -> None:
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    (folder / ".venv/run.stamp").touch()
    later = (folder / ".venv/run.stamp").stat().st_mtime + 1
    os.utime(folder / changed, (later, later))

    assert "install --require-hashes -r requirements/run.txt" in make(folder, "-n", "run").stdout


@pytest.mark.parametrize("name", ["run.txt", "test.txt"])
def test_requirements_are_pinned_hashed_and_name_no_place(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.sub(r"#.*", "", text.replace("\\\n", " ")).splitlines()
    pins = [entry.split() for entry in entries if entry.strip()]

    pinned = re.compile(r"[a-z0-9._-]+==[0-9][0-9a-z.]*")
    hashed = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    assert [pin for pin in pins if not pinned.fullmatch(pin[0])] == []
    assert [pin[0] for pin in pins if len(pin) < 2 or not all(map(hashed.fullmatch, pin[1:]))] == []
    assert re.findall(r"://|--index|--extra|--find|@ |/tmp|/home", text) == []


def test_tests_run_on_the_same_pins_as_the_server() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") < pins("test.txt")


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["build-system"]["requires"] + project["project"]["dependencies"]
    declared += project["project"]["optional-dependencies"]["test"]
    names = [re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in declared]
    locked = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")

    assert [name for name in names if not re.search(rf"^{name.lower()}==", locked, re.MULTILINE)] == []
