"""Whatever is put into a page is text there, and cannot turn or hide what stands around it."""

import pytest

from loadtest.faces import markup
from loadtest.faces.markup import Markup

HOSTILE = "<script>alert(1)</script>&\"'"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;"


@pytest.mark.parametrize(
    "made",
    [
        markup.text(HOSTILE),
        markup.paragraph(HOSTILE),
        markup.items([HOSTILE]),
        markup.facts([("name", HOSTILE), (HOSTILE, "told")]),
        markup.cell(HOSTILE),
        markup.number(HOSTILE),
        markup.table([HOSTILE, f">{HOSTILE}"], [[markup.cell(HOSTILE)]]),
        markup.section(HOSTILE),
        markup.card(HOSTILE),
    ],
)
def test_what_comes_from_outside_is_text(made: Markup) -> None:
    assert ESCAPED in made
    assert "<script" not in made


def test_a_class_cannot_leave_its_attribute() -> None:
    assert markup.element("p", kind='"><script>') == '<p class="&quot;&gt;&lt;script&gt;"></p>'


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\0", "\x1b", "\x85"])
def test_what_would_turn_or_hide_text_is_a_space(hidden: str) -> None:
    assert markup.text(f"a{hidden}b\nc") == "a b\nc"


def test_a_list_without_lines_and_facts_that_are_not_known_are_left_out() -> None:
    assert markup.items([]) == ""
    assert "commit" not in markup.facts([("commit", ""), ("system", "Linux")])


def test_heads_over_numbers_are_marked() -> None:
    made = markup.table(["Name", ">Count"], [[markup.cell("a"), markup.number(1)]])

    assert '<th scope="col">Name</th>' in made
    assert '<th scope="col" class=number>Count</th>' in made
    assert '<td class="number">1</td>' in made
