"""A plan is checked when it is read and tells no secret."""

import io

import msgspec
import pytest
from rich.console import Console

from loadtest import junit
from loadtest.faces import page, summary
from loadtest.faces.lines import Lines
from loadtest.faces.live import LiveView
from loadtest.failures import SwarmError
from loadtest.notes import Prepare, Share
from loadtest.plan import SECRETS, Plan, SignIn, of_data
from tests.support.swarm_results import interval, result


def test_a_plan_survives_its_way_to_a_worker() -> None:
    plan = Plan(players=7, settings={"rate": 5}, agents=["a:1"])

    assert of_data(msgspec.to_builtins(plan)) == plan


def test_what_is_told_holds_no_secret() -> None:
    told = Plan(server_key="s3cret", agent_secret="s3cret").tell()

    assert "s3cret" not in str(told)
    assert not set(SECRETS) & told.keys()


SECRETIVE = Plan(
    server_key="s3cret",
    agent_secret="s3cret",
    scenario="deploy-drill",
    settings={"command": "deploy --key s3cret", "rate": 5},
    sign_in=SignIn(way="command", password="s3cret", command="/opt/s3cret/login --key s3cret {name}"),
)


def test_no_face_of_a_run_tells_a_secret() -> None:
    told = result(plan=SECRETIVE.tell())
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=40, record=True)
    printed: list[str] = []

    with LiveView(SECRETIVE, console) as view:
        view.phase("playing")
        view.interval(interval(1))
    lines = Lines(SECRETIVE, printed.append)
    lines.phase("playing")
    lines.interval(interval(1))

    shown = [
        msgspec.json.encode(told).decode(),
        junit.document(told).decode(),
        page.html(told),
        summary.text(told),
        console.export_text(),
        *printed,
        repr(SECRETIVE),
        str(SECRETIVE.sign_in),
        repr(Prepare(msgspec.to_builtins(SECRETIVE), Share(0, 1))),
    ]
    assert "s3cret" not in "".join(shown)
    assert "login" in shown[0]


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("", ""),
        ("'open", ""),
        ("KEY=s3cret login", ""),
        ("login --key=s3cret", "login"),
        ("~/bin/l {name}", "l"),
    ],
)
def test_of_a_command_only_the_program_is_told(command: str, program: str) -> None:
    assert SignIn(command=command).tell()["command"] == program


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"player": 3}, "player"),
        ({"players": "many"}, "players"),
        ({"profile": {"shape": "round"}}, "profile.shape"),
        ({"sign_in": {"way": "magic"}}, "sign_in.way"),
    ],
)
def test_what_makes_no_sense_is_named(data: dict[str, object], told: str) -> None:
    with pytest.raises(SwarmError, match=told):
        of_data(data)
