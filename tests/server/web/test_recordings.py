"""What the reference server answered over HTTP, asked again of ours: status, headers and body.

`{player}` and the like in the recording stand for tokens and ids that differ from run to run; `after` is what
the recording asked before, and the answer depends on.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from server.identity import base64url
from server.identity.tokens import Pair, Subject
from tests.support import issuer
from tests.support.issuer import ALICE, BOB
from tests.support.site import IDENTITY, Gate, Site, open_gate, running_site

RECORDINGS = Path(__file__).parents[2] / "recordings" / "http.jsonl"
CASES = [json.loads(line) for line in RECORDINGS.read_text().splitlines()]

Answered = AbstractAsyncContextManager[aiohttp.ClientResponse]

# Texts that name a position in the caller's JSON or repeat its value are not ours to copy.
FREE_TEXT = re.compile(r"proto: ")


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    identity = IDENTITY.model_copy(update={"allow_client_username": True})
    async with (
        open_gate(tmp_path, url=database_url, identity=identity) as gate,
        running_site(gate) as running,
    ):
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
async def test_we_answer_as_was_recorded(site: Site, case: dict[str, Any]) -> None:
    request, expected = case["request"], case["response"]
    values = await stand_ins(site)
    for earlier in case.get("after", []):
        async with asked(site, earlier, values) as response:
            assert response.status == 200

    async with asked(site, request, values) as response:
        body = await response.text()

    assert response.status == expected["status"], body
    for name, value in expected["headers"].items():
        assert response.headers.get(name) == value
    assert normal(body) == normal(expected["body"])


def asked(site: Site, request: dict[str, Any], values: dict[str, str]) -> Answered:
    url = f"http://{site.host}:{site.port}{fill(request['path'], values)}"
    return site.client.request(
        request["method"],
        URL(url, encoded=True),
        headers={name: fill(value, values) for name, value in request["headers"].items()},
        data=fill(request["body"], values).encode(),
        skip_auto_headers=("Content-Type",),
    )


async def stand_ins(site: Site) -> dict[str, str]:
    gate = site.gate
    known = await site.login()
    claims = gate.tokens.check_session(known["token"])
    assert claims is not None
    now = int(gate.clock.wall())
    past = mint(gate, claims.family_id, now - 7200)
    head, payload, signature = known["token"].split(".")
    none = base64url.encode(b'{"alg":"none","typ":"JWT"}')
    return {
        "player": issuer.token(gate.clock.wall()),
        "new_player": issuer.token(gate.clock.wall(), sub=BOB, username="bob"),
        "session": known["token"],
        "refresh": known["refresh_token"],
        "expired": past.token,
        "forged": f"{head}.{payload}.{signature[::-1]}",
        "unsigned": f"{none}.{payload}.",
    }


def mint(gate: Gate, family_id: str, now: int) -> Pair:
    subject = Subject(ALICE, "alice", family_id, {}, now)
    return gate.tokens.mint(subject, gate.tokens.terms(now, gate.tokens.absolute_exp(now)))


def fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def normal(body: str) -> object:
    """The answer with what differs from run to run replaced by its kind."""
    if not body:
        return ""
    answer = json.loads(body)
    if FREE_TEXT.match(answer.get("message", "")):
        answer["message"] = "proto: ..."
    for name in ("token", "refresh_token"):
        if name in answer:
            answer[name] = name
    if "user" in answer:
        answer["custom_id"] = "subject"
        answer["user"] |= {"id": "id", "username": "username", "create_time": "then", "update_time": "then"}
    return answer
