"""Functions of the game over HTTP."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.core.function import Caller, FunctionError
from server.game.fence import Fence
from server.game.remote_calls import RemoteCalls
from server.tasks import TaskOwner
from server.web.reading import MAX_BODY
from tests.support.issuer import ALICE
from tests.support.site import HTTP_KEY, Site, bearer, open_gate, running_site

KEY = f"http_key={HTTP_KEY}"


def basic(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}


async def echo(_caller: Caller, payload: str) -> str:
    return payload


async def whoami(caller: Caller, payload: str) -> str:
    return json.dumps(
        {
            "user": [caller.user_id, caller.username, caller.session_id],
            "vars": dict(caller.session_vars),
            "expires": caller.expires_at,
            "address": caller.address,
            "query": {name: list(values) for name, values in caller.query.items()},
            "payload": payload,
        }
    )


async def refuse(_caller: Caller, payload: str) -> str:
    raise FunctionError("refused", int(payload))


async def broken(_caller: Caller, payload: str) -> str:
    raise ValueError(payload)


FUNCTIONS = {"echo": echo, "a/b": echo, "whoami": whoami, "refuse": refuse, "broken": broken}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    calls = RemoteCalls(FUNCTIONS, Fence("rpc", TaskOwner("rpc"), timeout_s=5, concurrent=10))
    async with open_gate(tmp_path) as gate, running_site(gate, functions=calls) as running:
        yield running


async def call(
    site: Site, path: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, Any]:
    async with site.client.request(
        method, f"/v2/rpc/{path}", data=body or None, headers=headers or {}
    ) as response:
        return response.status, await response.json(content_type=None)


def refused(code: int, message: str) -> dict[str, object]:
    return {"error": message, "message": message, "code": code}


@pytest.mark.parametrize(
    ("query", "headers", "message"),
    [
        ("", {}, "Auth token or HTTP key required"),
        ("?http_key=", {}, "Auth token or HTTP key required"),
        ("?http_key=wrong", {}, "HTTP key invalid"),
        ("?http_key=%ff%ed%a0%80", {}, "HTTP key invalid"),
        ("?http_key=wrong&" + KEY, {}, "HTTP key invalid"),
        ("?http_key=wrong", basic(HTTP_KEY), "HTTP key invalid"),
        ("", basic("defaultkey"), "HTTP key invalid"),
        ("", {"Authorization": "Basic !!"}, "Auth token invalid"),
        ("", {"Authorization": "basic x"}, "Auth token invalid"),
        ("", {"Authorization": "Bearer"}, "Auth token invalid"),
        ("", {"Authorization": "Bearer a.b.c"}, "Auth token invalid"),
        ("", {"Authorization": HTTP_KEY}, "Auth token invalid"),
    ],
)
async def test_who_shows_nothing_good_reaches_nothing(
    site: Site, query: str, headers: dict[str, str], message: str
) -> None:
    for name in ("echo", "nothing", ""):
        assert await call(site, name + query, b'"x"', headers) == (401, refused(16, message))


@pytest.mark.parametrize(
    ("query", "headers"),
    [(f"?{KEY}", {}), (f"?{KEY}", {"Authorization": "Bearer bad"}), ("", basic(HTTP_KEY))],
)
async def test_another_server_calls_as_nobody(site: Site, query: str, headers: dict[str, str]) -> None:
    status, answer = await call(site, f"whoami{query}", b'"p"', headers)

    told = json.loads(answer["payload"])
    assert status == 200
    assert told == {
        "user": ["", "", ""],
        "vars": {},
        "expires": 0,
        "address": "127.0.0.1",
        "query": {},
        "payload": "p",
    }


async def test_a_player_calls_as_themselves(site: Site) -> None:
    token = (await site.login())["token"]

    _, answer = await call(site, "WhoAmI?a=1&a=2&b=", b'"p"', bearer(token))

    told = json.loads(answer["payload"])
    assert told["user"] == [ALICE, "alice", ""]
    assert told["query"] == {"a": ["1", "2"], "b": [""]}
    assert told["expires"] == int(site.gate.clock.wall()) + 7200


@pytest.mark.parametrize("name", ["a/b", "A/B", "a%2Fb"])
async def test_an_id_may_have_slashes_and_any_case(site: Site, name: str) -> None:
    assert await call(site, f"{name}?{KEY}", b'"x"') == (200, {"payload": "x"})


async def test_an_id_is_needed_and_must_be_known(site: Site) -> None:
    assert await call(site, f"?{KEY}", b"{}") == (400, refused(3, "RPC ID must be set"))
    assert await call(site, f"nope?{KEY}", b"{}") == (404, refused(5, "RPC function not found"))
    assert await call(site, f"session_refresh?{KEY}", b"{}") == (404, refused(5, "RPC function not found"))


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"", ""),
        (b'""', ""),
        (b"null", ""),
        (b' "a\\n\\u00fc" ', "a\nü"),
        (json.dumps(json.dumps({"a": [1]})).encode(), '{"a": [1]}'),
    ],
)
async def test_the_body_is_a_json_text_that_holds_the_payload(site: Site, body: bytes, payload: str) -> None:
    assert await call(site, f"echo?{KEY}", body) == (200, {"payload": payload})


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b"true", b"plain", b'"a', b'"a" "b"', b'"\xff"', b" "])
async def test_any_other_body_is_refused(site: Site, body: bytes) -> None:
    message = "json: cannot unmarshal object into Go value of type string"

    assert await call(site, f"echo?{KEY}", body) == (400, refused(3, message))


@pytest.mark.parametrize("unwrap", ["unwrap", "unwrap=", "unwrap=true", "unwrap=false"])
async def test_unwrapped_bodies_are_the_payloads_themselves(site: Site, unwrap: str) -> None:
    async with site.client.post(
        f"/v2/rpc/echo?{KEY}&{unwrap}", data=b'{"a":1}', headers={"Content-Type": "application/x-thing"}
    ) as response:
        assert (response.status, await response.read()) == (200, b'{"a":1}')
        assert response.headers["Content-Type"] == "application/x-thing"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unwrapped_answer_without_a_type_is_plain_text(site: Site) -> None:
    async with site.client.post(
        f"/v2/rpc/echo?{KEY}&unwrap", data=b"x", skip_auto_headers=("Content-Type",)
    ) as response:
        assert (response.headers["Content-Type"], await response.read()) == ("text/plain", b"x")


async def test_get_has_no_payload_but_a_query(site: Site) -> None:
    status, answer = await call(site, f"whoami?{KEY}&payload=%7B%7D&unwrap", method="GET")

    assert status == 200
    assert (answer["payload"], answer["query"]) == ("", {"payload": ["{}"], "unwrap": [""]})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(
            (1, 499),
            (2, 500),
            (3, 400),
            (4, 504),
            (5, 404),
            (6, 409),
            (7, 403),
            (8, 429),
            (9, 400),
            (10, 409),
        ),
        *((11, 400), (12, 501), (13, 500), (14, 503), (15, 500), (16, 401), (0, 500), (99, 500), (-1, 500)),
    ],
)
async def test_a_refusal_of_a_function_is_answered_by_its_code(site: Site, code: int, status: int) -> None:
    answer = await call(site, f"refuse?{KEY}", json.dumps(str(code)).encode())

    assert answer == (status, {"code": code, "error": {}, "message": "refused"})


async def test_a_fault_of_a_function_is_told_without_detail(site: Site) -> None:
    answer = await call(site, f"broken?{KEY}", b'"secret"')

    assert answer == (500, {"code": 13, "error": {}, "message": "RPC function failed"})


async def test_a_body_is_read_up_to_its_limit(site: Site) -> None:
    fits = b'"' + b"a" * (MAX_BODY - 2) + b'"'

    at_limit = await call(site, f"echo?{KEY}", fits)
    over = await call(site, f"echo?{KEY}", fits + b" ")

    assert at_limit[0] == 200
    assert over == (400, {"code": 3, "message": "http: request body too large"})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_forbidden(site: Site, method: str) -> None:
    async with site.client.request(method, f"/v2/rpc/echo?{KEY}") as response:
        assert response.status == 403
