"""The documents for game authors say what is so: their code runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WRITE_A_MATCH = (ROOT / "docs" / "write-a-match.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", WRITE_A_MATCH, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first match and its test, written down as the page says."""
    game, test = PYTHON[:2]
    (tmp_path / "games").mkdir()
    (tmp_path / "games" / "counting.py").write_text(game)
    (tmp_path / "test_counting.py").write_text(test)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_first_match_passes_its_test(folder: Path) -> None:
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_counting.py")

    assert "1 passed" in done.stdout, done.stdout


def test_the_first_match_passes_a_strict_type_checker(folder: Path) -> None:
    done = run(folder, "mypy", "--strict", "--cache-dir", str(folder / "cache"), "games/counting.py")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_all_python_is_python(number: int) -> None:
    ast.parse(PYTHON[number])


def test_every_name_from_the_server_exists() -> None:
    imported = [
        (node.module, name.name)
        for text in PYTHON
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("server")
        for name in node.names
    ]

    done = run(ROOT, *_importing(imported))

    assert imported != []
    assert done.returncode == 0, done.stderr


def _importing(names: list[tuple[str, str]]) -> list[str]:
    lines = "; ".join(f"from {module} import {name}" for module, name in names)
    return ["timeit", "-n", "1", "-r", "1", lines]


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in WRITE_A_MATCH.splitlines()
        if line.startswith("#")
    }

    missing = [link for link in re.findall(r"\]\(#([^)]+)\)", WRITE_A_MATCH) if link not in headings]

    assert missing == []
