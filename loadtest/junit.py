"""A judged result as JUnit XML, which every CI system shows: a test for each fault, threshold, and the rest.

An invalid run is one error, and all its other tests are skipped: neither their passing nor their failing
tells anything about the server. Only the members that the readers have in common are written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree

from loadtest.result import Result
from loadtest.threshold import told_outcome
from loadtest.verdict import emptiness, invalidity, unexpected

SUITE: Final = "lockgate swarm"
MAX_TEXT: Final = 10_000
"""Characters of one attribute or text."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2, Char) cannot hold, even escaped."""


@dataclass(frozen=True, slots=True)
class _Case:
    group: str
    name: str
    fault: str = ""
    """Why it did not pass; empty if it did."""
    element: Literal["failure", "error"] = "failure"
    note: str = ""
    """Told of a test that passed."""


def document(result: Result) -> bytes:
    """The file, in UTF-8. The result must have been judged."""
    cases = list(_cases(result))
    tests = {
        "tests": str(len(cases)),
        "failures": str(sum(_says(each, result) == "failure" for each in cases)),
        "errors": str(sum(_says(each, result) == "error" for each in cases)),
        "skipped": str(sum(_says(each, result) == "skipped" for each in cases)),
        "time": f"{_seconds(result):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": SUITE, **tests})
    name = _clean(f"{SUITE}: {_scenario(result)}")
    begun = result.begun.removesuffix("Z")  # the schemas know no zone
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": name, **tests, "timestamp": _clean(begun), "hostname": "localhost"}
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in _properties(result):
        ElementTree.SubElement(properties, "property", {"name": _clean(key), "value": _clean(value)})
    for number, case in enumerate(cases):
        _write(suite, case, result, _seconds(result) if number == 0 else 0.0)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _cases(result: Result) -> Iterator[_Case]:
    """The first stands for the run as a whole, and takes its time."""
    yield _Case("run", "valid", "\n".join(invalidity(result)), "error")
    yield _Case("run", "measured", "\n".join(emptiness(result)))
    errors = unexpected(result)
    told = "\n".join(f"{count:,} times: {text}" for text, count in errors.items())
    passed = sum(result.errors.values()) - sum(errors.values())
    yield _Case("run", "errors", told, note=f"allowed: {passed:,}" if passed else "")
    for name, count in result.truth.faults().items():
        allowed = name in result.allowed
        fault = f"{name}: {count:,}" if count and not allowed else ""
        yield _Case("faults", name, fault, note=f"allowed: {count:,}" if count and allowed else "")
    for outcome in result.thresholds:
        line = told_outcome(outcome)
        yield _Case("thresholds", outcome.text, "" if outcome.held else line, note=line)


def _says(case: _Case, result: Result) -> Literal["failure", "error", "skipped", ""]:
    """Which element the test has, if any."""
    if invalidity(result) and case.element != "error":
        return "skipped"
    return case.element if case.fault else ""


def _write(suite: ElementTree.Element, case: _Case, result: Result, seconds: float) -> None:
    test = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": _clean(f"swarm.{_scenario(result)}.{case.group}"),
            "name": _clean(case.name),
            "time": f"{seconds:.3f}",
        },
    )
    says = _says(case, result)
    if says == "skipped":
        found = case.fault or case.note
        message = "the run is invalid" + (f"; it found {found}" if found else "")
        ElementTree.SubElement(test, "skipped", {"message": _clean(message)})
    elif says:
        message, kind = case.fault.partition("\n")[0], "Invalid" if says == "error" else case.group
        fault = ElementTree.SubElement(test, says, {"message": _clean(message), "type": kind})
        fault.text = _clean(case.fault)
    elif case.note:
        ElementTree.SubElement(test, "system-out").text = _clean(case.note)


def _properties(result: Result) -> Iterator[tuple[str, str]]:
    yield "verdict", result.verdict
    machine = result.machine
    yield "machine.cpu", f"{machine.cpus} x {machine.cpu_model}"
    yield "machine.affinity", " ".join(map(str, machine.affinity))
    yield "machine.memory_bytes", str(machine.memory_bytes)
    yield "machine.system", machine.system
    yield "machine.network", machine.network
    yield "commit", machine.commit
    for name, version in sorted(machine.versions.items()):
        yield f"version.{name}", version
    for name, value in sorted(result.plan.items()):
        yield f"plan.{name}", str(value)
    for name, fact in sorted(result.facts.items()):
        yield f"fact.{name}", fact


def _scenario(result: Result) -> str:
    return str(result.plan.get("scenario", "")) or "unnamed"


def _seconds(result: Result) -> float:
    """How long the run took, as far as the result tells."""
    ends = [each.at_s + each.for_s for each in result.intervals]
    return max([result.measured_from_s + result.measured_s, *ends])


def _clean(text: str) -> str:
    """What XML cannot hold is told as an escape in the manner of Python."""
    return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text[:MAX_TEXT])
