"""Pieces of HTML in which all that comes from outside is text.

A `Markup` was made here; whatever else is put into a piece is escaped, so that a hostile reason of an error
stays a reason.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

Markup = NewType("Markup", str)


def text(value: object) -> Markup:
    """Escaped, and without what would turn or hide the text around it."""
    shown = "".join(each if each.isprintable() or each == "\n" else " " for each in str(value))
    return Markup(escape(shown))


def element(tag: str, *inside: Markup, kind: str = "") -> Markup:
    attribute = f' class="{escape(kind)}"' if kind else ""
    return Markup(f"<{tag}{attribute}>{''.join(inside)}</{tag}>")


def paragraph(told: str, kind: str = "") -> Markup:
    return element("p", text(told), kind=kind)


def items(lines: Iterable[str]) -> Markup:
    """A list, or nothing when it has no lines."""
    inside = [element("li", text(line)) for line in lines]
    return element("ul", *inside) if inside else Markup("")


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and what is known of them; what is not known is left out."""
    inside = [
        element("div", element("dt", text(name)), element("dd", text(told))) for name, told in pairs if told
    ]
    return element("dl", *inside, kind="facts")


def cell(value: object, kind: str = "text") -> Markup:
    return element("td", text(value), kind=kind)


def number(value: object, kind: str = "") -> Markup:
    return element("td", text(value), kind=f"number {kind}".strip())


def table(heads: Sequence[str], rows: Iterable[Sequence[Markup]]) -> Markup:
    """Heads that begin with `>` stand over numbers."""
    top = [
        Markup(f'<th scope="col"{" class=number" * head.startswith(">")}>{text(head.removeprefix(">"))}</th>')
        for head in heads
    ]
    body = [element("tr", *row) for row in rows]
    whole = element("table", element("thead", element("tr", *top)), element("tbody", *body))
    return element("div", whole, kind="scroll")


def section(title: str, *inside: Markup) -> Markup:
    return element("section", element("h2", text(title)), *inside)


def card(title: str, *inside: Markup) -> Markup:
    head = (element("h3", text(title)),) if title else ()
    return element("div", *head, *inside, kind="card")
