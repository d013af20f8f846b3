"""Query parameters as the reference's gateway reads them."""

import pytest
from aiohttp.test_utils import make_mocked_request

from server.web.errors import Code, Failure
from server.web.parameters import MAX_QUOTED, boolean, int32, quoted, repeated, scalar


@pytest.mark.parametrize("query", ["min_size=3", "minSize=3", "unknown=1&min_size=3&"])
def test_both_spellings_are_read_and_unknown_names_ignored(query: str) -> None:
    assert int32(make_mocked_request("GET", f"/?{query}"), "min_size") == 3


@pytest.mark.parametrize("query", ["", "?", "?unknown=1", "?Min_Size=3", "?minsize=3"])
def test_what_is_not_given_is_none(query: str) -> None:
    request = make_mocked_request("GET", f"/{query}")

    assert int32(request, "min_size") is None
    assert boolean(request, "min_size") is None
    assert scalar(request, "min_size") is None


def test_a_text_may_be_empty() -> None:
    assert scalar(make_mocked_request("GET", "/?label="), "label") == ""


def test_a_repeated_field_takes_every_value_of_both_spellings() -> None:
    request = make_mocked_request("GET", "/?facebook_ids=a&facebookIds=b&facebook_ids=c&ids=d")

    assert sorted(repeated(request, "facebook_ids")) == ["a", "b", "c"]
    assert repeated(request, "ids") == ["d"]


@pytest.mark.parametrize("query", ["min_size=1&min_size=1", "min_size=1&minSize=1"])
def test_a_scalar_that_is_given_twice_is_refused(query: str) -> None:
    with pytest.raises(Failure) as refused:
        int32(make_mocked_request("GET", f"/?{query}"), "min_size")

    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.message == 'parsing field "min_size": too many values'


@pytest.mark.parametrize("value", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_is_spelled_as_go_spells_it(value: str) -> None:
    assert boolean(make_mocked_request("GET", f"/?x={value}"), "x") is True


@pytest.mark.parametrize("value", ["0", "f", "F", "FALSE", "false", "False"])
def test_false_is_spelled_as_go_spells_it(value: str) -> None:
    assert boolean(make_mocked_request("GET", f"/?x={value}"), "x") is False


@pytest.mark.parametrize("value", ["", "yes", "tRUE", "2", "%20true", "on"])
def test_any_other_bool_is_refused(value: str) -> None:
    with pytest.raises(
        Failure, match=r'^parsing field "x": strconv.ParseBool: parsing ".*": invalid syntax$'
    ):
        boolean(make_mocked_request("GET", f"/?x={value}"), "x")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("%2B7", 7),
        ("-12", -12),
        ("007", 7),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
        ("0" * 5000, 0),
    ],
)
def test_an_integer_is_a_decimal_of_32_bits(value: str, number: int) -> None:
    assert int32(make_mocked_request("GET", f"/?x={value}"), "x") == number


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("abc", "invalid syntax"),
        ("", "invalid syntax"),
        ("+7", "invalid syntax"),  # a plus is a space here
        ("1.0", "invalid syntax"),
        ("1e3", "invalid syntax"),
        ("0x10", "invalid syntax"),
        ("1_000", "invalid syntax"),
        ("٣", "invalid syntax"),
        ("-", "invalid syntax"),
        ("2147483648", "value out of range"),
        ("-2147483649", "value out of range"),
        ("9" * 5000, "value out of range"),
    ],
)
def test_any_other_integer_is_refused(value: str, why: str) -> None:
    with pytest.raises(Failure) as refused:
        int32(make_mocked_request("GET", f"/?x={value}"), "x")

    assert refused.value.message.startswith('parsing field "x": strconv.ParseInt: parsing "')
    assert refused.value.message.endswith(f'": {why}')
    assert len(refused.value.message) < 200


def test_a_quoted_value_is_escaped_and_cut() -> None:
    assert quoted('a"\n' + "b" * 100) == '"a\\"\\n' + "b" * (MAX_QUOTED - 3) + '"'
