"""Each failure has its status, its code and its text."""

import json

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from server.identity.failures import (
    GameFault,
    InUse,
    KeysUnavailable,
    NotAllowed,
    NotFound,
    PlayerRefused,
    RequestInvalid,
    TokensNotKept,
    TooManyLogins,
    Unauthenticated,
    Unfinished,
)
from server.storage.failures import Reason, StorageUnavailable
from server.web.errors import STATUS, Code, Failure, answer, failed


def body(response: web.StreamResponse) -> object:
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (RequestInvalid("x"), 400, 3, "x"),
        (Unauthenticated("x"), 401, 16, "x"),
        (NotFound("x"), 404, 5, "x"),
        (InUse("x"), 409, 6, "x"),
        (NotAllowed("x"), 403, 7, "x"),
        (TooManyLogins(1), 429, 8, "Too many logins, try again later."),
        (TokensNotKept(), 503, 14, "Sign-in unavailable"),
        (KeysUnavailable(), 503, 14, "Identity provider unavailable"),
        (StorageUnavailable(Reason.FULL), 503, 14, "Storage unavailable"),
        (PlayerRefused("x"), 403, 7, "x"),
        (GameFault(), 500, 13, "Internal Server Error"),
        (Unfinished(), 503, 14, "Sign-in unavailable"),
        (Failure(Code.PERMISSION_DENIED, "x"), 403, 7, "x"),
        (web.HTTPNotFound(), 403, 7, "Forbidden"),
        (web.HTTPMethodNotAllowed("GET", ["POST"]), 403, 7, "Forbidden"),
        (web.HTTPRequestEntityTooLarge(1, 2), 400, 3, "http: request body too large"),
        (web.HTTPBadRequest(text="marker"), 400, 3, "Bad Request"),
        (RuntimeError("marker"), 500, 13, "Internal Server Error"),
        (KeyError("marker"), 500, 13, "Internal Server Error"),
    ],
)
def test_a_failure_is_answered(error: Exception, status: int, code: int, message: str) -> None:
    with capture_logs() as logs:
        response = answer(error)

    assert response.status == status
    assert body(response) == {"code": code, "message": message}
    logged_before = isinstance(error, GameFault)
    assert len(logs) == (1 if status == 500 and not logged_before else 0)


def test_only_a_missing_proof_asks_for_one() -> None:
    asked = {code: failed(code, "why").headers.get("WWW-Authenticate") for code in STATUS}

    assert asked.pop(Code.UNAUTHENTICATED) == "why"
    assert set(asked.values()) == {None}


@pytest.mark.parametrize("error", [KeysUnavailable(9), TooManyLogins(9), TokensNotKept(9), Unfinished(9)])
def test_what_may_work_later_says_when_to_come_back(error: Exception) -> None:
    assert answer(error).headers["Retry-After"] == "9"
