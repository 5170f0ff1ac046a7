"""Google-style docstrings, read: what they say of each argument or attribute."""

from __future__ import annotations

import inspect
import re

_ENTRY = re.compile(r" {4}(\w+): (.*)")


def entries_of(documented: object, section: str) -> dict[str, str]:
    """Return names and texts of one section of a docstring, each text in one line.

    Args:
        documented: A function or class.
        section: Heading of the section, such as ``Args`` or ``Attributes``.
    """
    docstring = inspect.getdoc(documented) or ""
    found = re.search(rf"^{section}:\n((?:[ ].*\n|\n)*)", docstring + "\n", re.MULTILINE)
    entries: dict[str, str] = {}
    name = ""
    for line in found[1].splitlines() if found else ():
        if entry := _ENTRY.match(line):
            name = entry[1]
            entries[name] = entry[2]
        elif name and line.strip():
            entries[name] += f" {line.strip()}"
    return entries


def first_line(documented: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]
