"""The command line: statuses, messages, and what it passes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from server import cli
from server.identity import devissuer
from server.identity.devissuer import DevIssuerError
from server.identity.key_file import KeyFile
from server.ids import RandomIds
from server.observe import logs


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of one command."""
    status = cli.main(arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_good_configuration_is_said_to_be_good(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "lockgate.toml"
    path.write_text('name = "x"\n')

    assert run(capsys, "check-config", "--config", str(path)) == (
        0,
        "",
        "lockgate: the configuration is good\n",
    )


def test_every_problem_is_a_line_and_the_status_is_two(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "lockgate.toml"
    path.write_text('nmae = "x"\n[session]\ntoken_ttl_s = 0\n')

    status, out, err = run(capsys, "check-config", "--config", str(path))

    assert (status, out) == (2, "")
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["session.token_ttl_s", "nmae"]


def test_a_configuration_file_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "serve", "--config", "no/such/file.toml")

    assert status == 2
    assert "no such file" in err


def test_a_game_that_cannot_be_loaded_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        logs, "configure", lambda *_arguments: None
    )  # it would be so for all tests that follow
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_game.py").write_text("import no_such_library")

    status, _, err = run(capsys, "serve", "--dev", "--module", "broken_game.py", "--module", "no_such_game")

    assert status == 2
    assert "ModuleNotFoundError: No module named 'no_such_library'" in err
    assert "no_such_game: there is no such module" in err


def test_flags_reach_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "serve", "--dev", "--public", "nowhere")

    assert status == 2
    assert err.startswith("lockgate: listen.public:")


def test_a_token_is_printed_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str]] = []

    def fetch(port: int, user: str) -> str:
        asked.append((port, user))
        return "a.b.c"

    monkeypatch.setattr(devissuer, "fetch_dev_token", fetch)

    assert run(capsys, "token", "--user", "alice", "--port", "1234") == (0, "a.b.c\n", "")
    assert run(capsys, "token", "--user", "bob")[0] == 0

    assert asked == [(1234, "alice"), (7352, "bob")]


def test_without_an_issuer_there_is_no_token_but_a_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(port: int, user: str) -> str:
        raise DevIssuerError("none answers")

    monkeypatch.setattr(devissuer, "fetch_dev_token", refuse)

    assert run(capsys, "token", "--user", "alice") == (1, "", "lockgate: none answers\n")


def made_keys(tmp_path: Path) -> tuple[Path, KeyFile]:
    """A configuration file, and the key file that it names."""
    file = KeyFile(tmp_path / "keys.json")
    file.open(RandomIds("test"), 0)
    path = tmp_path / "lockgate.toml"
    path.write_text(f'[session]\nkey_file = "{file.path}"\n')
    return path, file


def test_keys_are_rotated_and_their_ids_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, file = made_keys(tmp_path)
    before = file.read().keys

    status, out, err = run(capsys, "keys", "rotate", "--config", str(path))

    after = file.read().keys
    assert (status, err) == (0, "")
    assert (after.session[1:], after.refresh[1:]) == (before.session, before.refresh)
    assert [line.partition(" signs;")[0] for line in out.splitlines()] == [
        f"session: {after.session[0].kid}",
        f"refresh: {after.refresh[0].kid}",
    ]


@pytest.mark.parametrize(("use", "lengths"), [("session", (2, 1)), ("refresh", (1, 2))])
def test_the_keys_of_one_use_are_rotated_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, use: str, lengths: tuple[int, int]
) -> None:
    path, file = made_keys(tmp_path)

    status, out, _ = run(capsys, "keys", "rotate", "--use", use, "--config", str(path))

    after = file.read().keys
    assert (status, len(out.splitlines())) == (0, 1)
    assert (len(after.session), len(after.refresh)) == lengths


def test_a_rotation_that_is_refused_says_why(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, file = made_keys(tmp_path)
    file.path.chmod(0o644)

    status, out, err = run(capsys, "keys", "rotate", "--config", str(path))

    assert (status, out) == (1, "")
    assert err == f"lockgate: {file.path}: others can read or write it; give it mode 0600\n"


def test_the_swarm_is_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def replace(_path: str, arguments: list[str]) -> None:
        started.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr("os.execv", replace)

    with pytest.raises(SystemExit):
        cli.main(["swarm", "--players", "5", "--help"])

    assert started == [[sys.executable, "-m", "loadtest", "--players", "5", "--help"]]


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])

    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    ["serve", "check-config", "token", "revoke", "ban", "unban", "delete-account", "keys", "replay"],
)
def test_every_command_tells_its_options(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])

    told = capsys.readouterr().out
    options = {
        "serve": "--module",
        "token": "--port",
        "revoke": "--before",
        "ban": "--reason",
        "unban": "--subject",
        "delete-account": "--issuer",
        "keys": "rotate",
        "replay": "--until",
    }
    assert options.get(command, "--config") in told


def test_a_command_that_needs_little_imports_little() -> None:
    script = (
        "import sys\n"
        "from server import cli\n"
        "status = cli.main(['check-config'])\n"
        "print(status, sorted({'aiohttp', 'sqlalchemy', 'uvloop', 'pdb'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)

    assert done.stdout == "0 []\n"
