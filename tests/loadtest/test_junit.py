"""The file that CI systems read: its sums agree, its order is theirs, and any text goes in."""

from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.junit import document
from loadtest.result import FAULTS, Result, Truth
from loadtest.threshold import parse
from loadtest.verdict import judge
from tests.support.swarm_results import honesty, result


def suite_of(found: Result, *thresholds: str, allow: tuple[str, ...] = ()) -> ElementTree.Element:
    root = ElementTree.fromstring(document(judge(found, [parse(each) for each in thresholds], allow)))
    assert root.tag == "testsuites"
    (suite,) = root
    assert {name: root.get(name) for name in SUMS} == {name: suite.get(name) for name in SUMS}
    return suite


SUMS = ("tests", "failures", "errors", "skipped", "time")


def elements(suite: ElementTree.Element, tag: str) -> dict[str, ElementTree.Element]:
    """What there is of this kind, by the test's name."""
    cases = {case.attrib["name"]: case.find(tag) for case in suite.iter("testcase")}
    return {name: found for name, found in cases.items() if found is not None}


GOOD = result()
RUNS = {
    "good": (GOOD, ("lost==0",)),
    "faulty": (result(truth=Truth(lost=2, corrupt=1), errors={"503": 4}), ("lost==0", "echo_p99<1ms")),
    "empty": (result(connected=0, measured_s=0.0), ()),
    "invalid": (result(honesty=honesty("late", "slow"), truth=Truth(lost=2)), ("lost==0",)),
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_sums_are_those_of_the_tests(kind: str) -> None:
    found, thresholds = RUNS[kind]

    suite = suite_of(found, *thresholds)

    assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    seconds = sum(float(case.attrib["time"]) for case in suite.iter("testcase"))
    assert float(suite.attrib["time"]) == pytest.approx(seconds)


@pytest.mark.parametrize("kind", RUNS)
def test_members_are_those_and_in_the_order_that_schemas_ask_for(kind: str) -> None:
    found, thresholds = RUNS[kind]

    suite = suite_of(found, *thresholds)

    assert [child.tag for child in suite] == ["properties", *["testcase"] * int(suite.attrib["tests"])]
    assert suite.attrib["timestamp"] == "2026-11-23T10:00:00"
    assert {tuple(case.attrib) for case in suite.iter("testcase")} == {("classname", "name", "time")}
    names = [(case.attrib["classname"], case.attrib["name"]) for case in suite.iter("testcase")]
    assert len(set(names)) == len(names)


def test_a_good_run_has_a_test_for_each_fault_and_threshold_and_all_pass() -> None:
    suite = suite_of(result(), "deliver_p99<20ms", "lost==0")

    names = [case.attrib["name"] for case in suite.iter("testcase")]
    assert names == ["valid", "measured", "errors", *FAULTS, "deliver_p99<20ms", "lost==0"]
    assert [suite.get(sums) for sums in SUMS[1:4]] == ["0", "0", "0"]


def test_each_fault_and_each_threshold_fails_by_itself() -> None:
    faulty = result(truth=Truth(lost=1200), errors={"503": 4, "closed": 2})

    failed = elements(suite_of(faulty, "lost==0", "corrupt==0", "echo_p99<1ms"), "failure")

    assert {name: each.get("message") for name, each in failed.items()} == {
        "errors": "4 times: 503",
        "lost": "lost: 1,200",
        "lost==0": "lost==0: found 1,200",
        "echo_p99<1ms": "echo_p99<1ms: nothing to look at",
    }
    assert failed["errors"].text == "4 times: 503\n2 times: closed"


def test_what_is_allowed_passes_and_is_told() -> None:
    suite = suite_of(result(truth=Truth(lost=3), errors={"503": 4}), allow=("lost", "errors"))

    assert suite.get("failures") == "0"
    told = {name: each.text for name, each in elements(suite, "system-out").items()}
    assert told == {"lost": "allowed: 3", "errors": "allowed: 4"}


def test_an_invalid_run_is_one_error_and_judges_nothing() -> None:
    suite = suite_of(result(honesty=honesty("late", "slow"), truth=Truth(lost=2)), "deliver_p99<20ms")

    errors = elements(suite, "error")
    assert {name: each.text for name, each in errors.items()} == {"valid": "late\nslow"}
    assert [suite.get(sums) for sums in SUMS[1:3]] == ["0", "1"]
    skipped = elements(suite, "skipped")
    assert len(skipped) == int(suite.attrib["tests"]) - 1
    assert skipped["lost"].get("message") == "the run is invalid; it found lost: 2"


def test_a_run_that_did_nothing_fails() -> None:
    assert list(elements(suite_of(result(connected=0)), "failure")) == ["measured"]


def test_machine_and_plan_are_properties() -> None:
    suite = suite_of(result(facts={"recovered": "1.2 s"}))

    told = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    assert told["verdict"] == "passed"
    assert told["machine.cpu"] == "2 x a processor"
    assert told["plan.scenario"] == "relay"
    assert told["plan.players"] == "10"
    assert told["version.python"] == "3.11.7"
    assert told["fact.recovered"] == "1.2 s"


@pytest.mark.parametrize("evil", ["\x00\x1b[31m", "\ud800", "\ufffe\uffff", "]]><a>&\"'", "\x85\u2028", "🙂"])
def test_any_text_makes_a_file_that_can_be_read(evil: str) -> None:
    found = result(
        errors={f"a{evil}b": 1},
        facts={evil: evil},
        honesty=honesty(evil),
        plan={"scenario": evil, evil: evil},
    )

    suite = suite_of(found, f"errors[{evil}]==0")

    assert suite.get("errors") == "1"


def test_what_xml_cannot_hold_is_told_as_an_escape() -> None:
    failed = elements(suite_of(result(errors={"a\x00b\x1bc\ud800d\ufffe🙂": 1})), "failure")

    assert failed["errors"].get("message") == r"1 times: a\x00b\x1bc\ud800d\ufffe🙂"


@given(st.text(st.characters(), max_size=30))
def test_no_text_breaks_the_file(text: str) -> None:
    suite_of(msgspec.structs.replace(GOOD, errors={text: 1}, facts={text: text}))


def test_an_endless_text_is_cut() -> None:
    assert len(document(result(errors={"x" * 10_000_000: 1}))) < 100_000


def test_a_run_without_intervals_has_the_time_of_its_load() -> None:
    suite = suite_of(result(intervals=[], measured_from_s=2.0, measured_s=5.0))

    assert suite.attrib["time"] == "7.000"
