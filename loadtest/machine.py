"""Where and with what a run is made, for the result: enough to make it again, nothing that names the machine.

No host name, address or path of the machine is told. What a system does not tell stays empty or zero.
"""

import ipaddress
import os
import platform
import resource
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from loadtest.plan import Plan
from loadtest.result import Machine

LIBRARIES: Final = (
    "lockgate",
    "aiohttp",
    "hdrhistogram",
    "msgspec",
    "orjson",
    "protobuf",
    "uvloop",
    "websockets",
)
GIT_S: Final = 5.0
"""A checkout on a slow disk is asked for so long."""
DISCARD_PORT: Final = 9
ENCRYPTED: Final = ("https", "wss")
HERE: Final = Path(__file__)


def describe(plan: Plan) -> Machine:
    """Takes some milliseconds: it asks git, and the resolver for the server's address."""
    return Machine(
        cpu_model=cpu_model(Path("/proc/cpuinfo")),
        cpus=os.cpu_count() or 0,
        affinity=sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()}",
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        versions={"python": platform.python_version(), **_versions()},
        commit=commit(HERE),
        network=network(plan),
    )


def cpu_model(cpuinfo: Path) -> str:
    """By the kernel's list, or as Python knows it: on ARM, and on macOS, that is the architecture."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    fields = [line.partition(":") for line in lines]
    models = [
        value.strip() for name, _, value in fields if name.strip() in ("model name", "Model", "cpu model")
    ]
    return next(filter(None, models), platform.processor() or platform.machine())


def commit(source: Path) -> str:
    """Of the checkout that this file is of, `-dirty` behind it when changed; empty when it is of none."""
    # An installed copy within some other project's checkout is none of that project's sources.
    if not _git(source.parent, "ls-files", "--error-unmatch", "--", source.name):
        return ""
    return _git(source.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def network(plan: Plan) -> str:
    """Which way the players take to the server: `loopback` or `network`, with `tls` behind when encrypted."""
    url = urlsplit(plan.url)
    hosts = [url.hostname or "", *(urlsplit(f"//{agent}").hostname or "" for agent in plan.agents)]
    way = "loopback" if all(_is_here(host) for host in hosts) else "network"
    return f"{way} tls" if url.scheme in ENCRYPTED else way


def _is_here(host: str) -> bool:
    """Whether all addresses of this name are this machine's own, which are reached without a network."""
    try:
        found = socket.getaddrinfo(host, DISCARD_PORT, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_own(family, address) for family, _, _, _, address in found)


def _is_own(family: int, address: tuple[object, ...]) -> bool:
    if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        return True
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            # Sends nothing; the system says from where it would, which for an own address is that address.
            asked.connect(address)
            return bool(asked.getsockname()[0] == address[0])
    except OSError:
        return False


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str:
    """What git says, empty whenever it fails."""
    # A hook that runs us may have pointed git at another repository; and a look must not lock this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_S,
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
