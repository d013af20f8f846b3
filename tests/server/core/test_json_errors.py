"""Broken JSON, told as clients of the reference know it."""

import json

import pytest

from server.core.json_errors import complaint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "unexpected end of JSON input"),
        ("lab", "invalid character 'l' looking for beginning of value"),
        ("  ]", "invalid character ']' looking for beginning of value"),
        ("{", "unexpected end of JSON input"),
        ('{"a', "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a":1', "unexpected end of JSON input"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ("{ 'a':1}", "invalid character '\\'' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ('{"a":[1 2]}', "invalid character '2' after array element"),
        ('{"a":["]",{"b":1 2}]}', "invalid character '2' after object key:value pair"),
        ('{"\\"[":1 2}', "invalid character '2' after object key:value pair"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("nope", "invalid character 'o' in literal null (expecting 'u')"),
        ("tru", "unexpected end of JSON input"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("-", "unexpected end of JSON input"),
        ('"\\q"', "invalid character 'q' in string escape code"),
        ('"\\u12x4"', "invalid character 'x' in \\u hexadecimal character escape"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"a\x00b"', "invalid character '\\x00' in string literal"),
        ("ü", "invalid character 'Ã' looking for beginning of value"),
    ],
)
def test_the_character_and_its_place_are_named(text: str, told: str) -> None:
    with pytest.raises(json.JSONDecodeError) as refused:
        json.loads(text)

    assert complaint(refused.value) == told
