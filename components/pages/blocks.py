"""Blocks: a document said once, written as Markdown and as HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from components.pages.charts.svg import readable

_SPECIAL = re.compile(
    r"([\\`*\[\]|~$])|(?<![^\W_])(_)|(_)(?![^\W_])|^([#>+-])|^(\d+)([.)])(?=\s|$)"
)


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Listing:
    """Sentences that belong together."""

    kind: ClassVar[str] = "listing"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names with what they stand for; ``exact`` ones are digests and the like."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]
    exact: bool = False


@dataclass(frozen=True)
class Table:
    """Rows below a head; the first column names the row."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Code:
    """A program."""

    kind: ClassVar[str] = "code"
    language: str
    text: str


CardBlock: TypeAlias = Paragraph | Listing | Facts | Table | Code


@dataclass(frozen=True)
class CardSection:
    """A heading of a model card with its blocks."""

    title: str
    blocks: tuple[CardBlock, ...]


def markdown(title: str, lead: str, sections: Sequence[CardSection]) -> str:
    """Return the document as CommonMark with tables; every text is escaped.

    Args:
        title: Heading of the whole.
        lead: First paragraph.
        sections: The rest.
    """
    parts = [f"# {plain(title)}", plain(lead)]
    for section in sections:
        parts.append(f"## {plain(section.title)}")
        parts += [_markdown(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Escape a text such that Markdown, and HTML within it, shows it as it is."""
    flat = " ".join(readable(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(_escape, flat)


def _escape(match: re.Match[str]) -> str:
    number, mark = match.group(5), match.group(6)
    return f"{number}\\{mark}" if number else f"\\{match.group(0)}"


def _markdown(block: CardBlock) -> str:
    match block:
        case Paragraph(text):
            return plain(text)
        case Listing(items):
            return "\n".join(f"- {plain(item)}" for item in items)
        case Facts(rows, exact):
            return "\n".join(
                f"- {plain(name)}: {_exact(text) if exact else plain(text)}" for name, text in rows
            )
        case Table(head, rows):
            lines = [head, tuple("---" for _ in head), *rows]
            return "\n".join(
                "| "
                + " | ".join(cell if set(cell) == {"-"} else plain(cell) for cell in line)
                + " |"
                for line in lines
            )
        case Code(language, text):
            return f"```{language}\n{text.rstrip()}\n```"


def _exact(text: str) -> str:
    """Write a text that holds no backtick as code."""
    return f"`{text}`"
