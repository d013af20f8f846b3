"""Remote calls as values."""

from server.core.function import INTERNAL, Caller, FunctionError


def test_a_refusal_without_a_code_is_an_internal_one() -> None:
    refusal = FunctionError("no")

    assert (refusal.message, refusal.code, str(refusal)) == ("no", INTERNAL, "no")


def test_a_caller_without_a_user_is_another_server() -> None:
    assert Caller(address="203.0.113.7").user_id == ""
