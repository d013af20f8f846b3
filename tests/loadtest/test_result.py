"""Results outlive the program that wrote them."""

from pathlib import Path

import msgspec
import pytest

from loadtest.failures import SwarmError
from loadtest.result import FAULTS, KIND, SCHEMA, Truth, as_json, read
from tests.support.swarm_results import result


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = result(errors={"503": 2}, facts={"recovered": "1.2 s"})

    (tmp_path / "a.json").write_bytes(as_json(found))

    assert read(tmp_path / "a.json") == found


def test_the_file_tells_its_kind_and_schema(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(as_json(result()))

    told = msgspec.json.decode((tmp_path / "a.json").read_bytes())

    assert (told["kind"], told["schema"]) == (KIND, SCHEMA)


def test_members_of_a_later_program_are_passed_over(tmp_path: Path) -> None:
    told = {**msgspec.to_builtins(result()), "weather": "fine"}
    (tmp_path / "a.json").write_bytes(msgspec.json.encode(told))

    assert read(tmp_path / "a.json") == result()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no result"),
        ("[]", "no result"),
        ("{}", "no result"),
        ('{"kind":"other","schema":1}', "no result"),
        (f'{{"kind":"{KIND}","schema":{SCHEMA + 1}}}', "knows up to"),
        (f'{{"kind":"{KIND}","schema":{SCHEMA}}}', "missing required field"),
    ],
)
def test_what_is_no_result_is_refused_with_its_reason(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(SwarmError, match=told):
        read(tmp_path / "a.json")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(SwarmError, match="cannot read"):
        read(Path("no-such-file.json"))


def test_every_fault_counter_of_the_truth_has_a_name() -> None:
    plain = {"sent", "expected", "delivered"}

    assert set(Truth.__struct_fields__) - plain == set(FAULTS)
    assert Truth(lost=2).faults()["lost"] == 2
