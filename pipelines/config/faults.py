"""Faults of a configuration: a place, what is wrong there, and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from pydantic_core import ErrorDetails, PydanticCustomError

from components.contract.errors import UserError, suggest

if TYPE_CHECKING:
    from pipelines.config.yaml_file import Document

_SHOWN_CHARACTERS_MAX = 80
_OURS = "slimline"

Location: TypeAlias = tuple[str | int, ...]
Fault: TypeAlias = tuple[Location, str, str]
"""Where in the configuration, what is wrong there, and the fix."""


def custom(what: str, fix: str, key: str | None = None) -> PydanticCustomError:
    """Return the error that a validator raises.

    Args:
        what: A sentence.
        fix: See ``UserError``.
        key: The key inside the validated section that is at fault.
    """
    return PydanticCustomError(_OURS, "{what}", {"what": what, "fix": fix, "key": key})


def matching(pattern: re.Pattern[str], what: str, fix: str) -> Callable[[str], str]:
    """Return a validator of texts that a pattern has to match as a whole.

    Args:
        pattern: The pattern.
        what: A sentence about one that it does not match; ``{!r}`` stands for the text.
        fix: See ``UserError``.
    """

    def matched(value: str) -> str:
        if not pattern.fullmatch(value):
            raise custom(what.format(value), fix)
        return value

    return matched


def where(location: Location) -> str:
    """Write a location the way people do: ``variants.student[0].distill``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def fault_of(error: ErrorDetails, examples: Mapping[str, str] | None = None) -> Fault:
    """Turn pydantic's finding into a place, a sentence and a fix.

    Args:
        error: The finding.
        examples: What may stand at a place, by the place as ``where`` writes it.
    """
    location = tuple(part for part in error["loc"] if not str(part).startswith("<"))
    if location and location[-1] == "[key]":  # the name itself is wrong, not what it holds
        location = location[:-1]
    place = where(location)
    example = (examples or {}).get(place)
    as_in = f", as in {location[-1]}: {example}" if example else ""
    prefix = f"{place}: " if place else ""
    context = error.get("ctx", {})
    if error["type"] == _OURS:
        key = (context["key"],) if context["key"] else ()
        return (*location, *key), f"{prefix}{context['what']}", context["fix"]
    if error["type"] == "missing":
        return location[:-1], f"{place} is missing", f"add the key {location[-1]}{as_in}"
    shown = repr(error["input"])
    if len(shown) > _SHOWN_CHARACTERS_MAX:
        shown = f"{shown[:_SHOWN_CHARACTERS_MAX]}..."
    if error["type"] == "literal_error":
        valid = re.findall(r"'([^']*)'|(\d+)", context["expected"])
        return (
            location,
            f"{prefix}must be {context['expected']} (got {shown})",
            suggest(str(error["input"]), [text or number for text, number in valid]),
        )
    fix = f"correct {place} in the file{as_in}"
    return location, f"{prefix}{_sentence(error)} (got {shown})", fix


def _sentence(error: ErrorDetails) -> str:
    if error["type"] in ("model_type", "dict_type", "mapping_type"):
        return "must be a mapping of keys to values"
    if error["type"] == "tuple_type":
        return "must be a list"
    if error["type"] in ("too_short", "string_too_short"):
        return "must not be empty"
    return error["msg"].replace("Input should be", "must be")


def error_in(document: Document, fault: Fault) -> UserError:
    """Return a fault of a file as an error with its line."""
    location, what, fix = fault
    return UserError(f"{document.place(location)}: {what}", fix)
