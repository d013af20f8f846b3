"""Failures that cross the wire carry what the answer needs, and nothing of it twice."""

from protocol.close import CloseReason
from protocol.errors import ErrorCode, ProtocolError, RequestError


def test_the_codes_are_those_of_the_wire() -> None:
    assert [(code.name, code.value) for code in ErrorCode] == [
        ("RUNTIME_EXCEPTION", 0),
        ("UNRECOGNIZED_PAYLOAD", 1),
        ("MISSING_PAYLOAD", 2),
        ("BAD_INPUT", 3),
        ("MATCH_NOT_FOUND", 4),
        ("MATCH_JOIN_REJECTED", 5),
        ("RUNTIME_FUNCTION_NOT_FOUND", 6),
        ("RUNTIME_FUNCTION_EXCEPTION", 7),
    ]


def test_a_refusal_is_answered_under_the_cid_unless_it_says_otherwise() -> None:
    refusal = RequestError(ErrorCode.BAD_INPUT, "Invalid match")

    assert (refusal.code, refusal.message, str(refusal)) == (3, "Invalid match", "Invalid match")
    assert refusal.keep_cid
    assert not RequestError(ErrorCode.BAD_INPUT, "Invalid match", keep_cid=False).keep_cid


def test_a_broken_contract_names_its_close_and_may_be_explained_before() -> None:
    silent = ProtocolError(CloseReason.MALFORMED)
    explained = ProtocolError(CloseReason.UNPROCESSABLE, ErrorCode.MISSING_PAYLOAD, "Missing payload", "7")

    assert (silent.reason, silent.code, silent.cid) == (CloseReason.MALFORMED, None, "")
    assert (explained.code, explained.message, explained.cid) == (2, "Missing payload", "7")
