"""The tables say what the result says, and what there was none of is said too."""

import re
from html import unescape

import yaml

from loadtest.faces import tables
from loadtest.faces.markup import Markup
from loadtest.faces.tables import MAX_ERRORS
from loadtest.result import Mark, Outcome, Truth
from tests.support.swarm_results import honesty, result, timing


def rows(made: Markup) -> list[list[str]]:
    """What the cells of the body say."""
    body = made.partition("<tbody>")[2]
    return [
        [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", body)
    ]


def test_operations_are_in_the_order_of_a_players_life_with_both_times() -> None:
    found = rows(tables.operations({"deliver": timing(2, 4), "bridge": timing(*[10.0] * 200)}))

    assert [row[0] for row in found] == ["bridge", "deliver"]
    assert found[0][1:] == ["200", "10.0", "10.0", "10.0", "10.0", "10.0", "5.00", "5.00"]


def test_a_percentile_of_too_few_values_is_marked() -> None:
    made = tables.operations({"bridge": timing(*[10.0] * 99)})

    # p99 and p99.9 of the response, and p99 of the service.
    assert made.count('class="number few"') == 3
    assert 'class="number few"' not in tables.operations({"bridge": timing(*[10.0] * 1000)})


def test_what_there_was_none_of_is_said() -> None:
    empty = result(errors={}, counts={}, thresholds=[])

    assert "There were none." in tables.errors(empty)
    assert "None were asked for." in tables.thresholds(empty)
    assert "No operation was timed." in tables.operations({})
    assert "Nothing." in tables.counted(empty)
    assert tables.marks(empty) == ""


def test_thresholds_tell_what_was_found_and_whether_it_held() -> None:
    outcomes = [
        Outcome(text="deliver_p99<20ms", found=25.0, held=False),
        Outcome(text="lost==0", found=0.0, held=True),
        Outcome(text="kick_p99<1s", found=None, held=False),
    ]

    assert rows(tables.thresholds(result(thresholds=outcomes))) == [
        ["deliver_p99<20ms", "25 ms", "not held"],
        ["lost==0", "0", "held"],
        ["kick_p99<1s", "nothing to look at", "not held"],
    ]


def test_faults_are_bad_unless_they_were_allowed() -> None:
    made = tables.truth(
        result(truth=Truth(sent=9, expected=9, delivered=7, lost=2, corrupt=1), allowed=["lost"])
    )
    found = {name: (count, outcome) for name, count, outcome in rows(made)}

    assert found["lost"] == ("2", "allowed")
    assert found["corrupt"] == ("1", "fault")
    assert found["two sockets"] == ("0", "")
    assert made.count("number bad") == 1


def test_errors_come_by_how_often_and_the_rest_is_counted() -> None:
    many = {f"kind {number:03}": 1000 - number for number in range(MAX_ERRORS + 3)}
    found = rows(tables.errors(result(errors=many)))

    assert found[0] == ["1,000", "kind 000"]
    assert found[-1] == [f"{sum(list(many.values())[MAX_ERRORS:]):,}", "3 other kinds"]
    assert len(found) == MAX_ERRORS + 1


def test_what_has_a_table_of_its_own_is_not_told_twice() -> None:
    made = tables.counted(result(counts={"sent": 9, "storms": 1200}, facts={"drill": "ended"}))

    assert "storms" in made
    assert "1,200" in made
    assert "ended" in made
    assert "sent" not in made


def test_marks_have_their_moment() -> None:
    assert rows(tables.marks(result(marks=[Mark(at_s=61.25, text="drill")]))) == [["61.2 s", "drill"]]


def test_limits_that_were_passed_are_marked() -> None:
    made = tables.limits(result(honesty=honesty(cpu=0.95)))

    assert ["cpu (cores)", "0.95", "0.92"] in rows(made)
    assert ["lag p99 (ms)", "1", "20"] in rows(made)
    assert made.count("number bad") == 1


def test_pinned_processors_are_told_only_where_they_are_not_all() -> None:
    told = result().machine

    assert "(used:" not in tables.machine(result(machine=told))
    pinned = type(told)(**{name: getattr(told, name) for name in told.__struct_fields__} | {"affinity": [1]})
    assert "2 (used: 1)" in tables.machine(result(machine=pinned))


def test_the_plan_that_is_shown_is_one_that_can_be_read() -> None:
    found = result()
    shown = unescape(tables.repeat(found).partition("<pre>")[2].partition("</pre>")[0])

    assert yaml.safe_load(shown) == found.plan
