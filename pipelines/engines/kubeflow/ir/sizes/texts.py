"""JSON as Go writes it, and identifiers that compress as badly as the real ones."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

_MESSAGE = "cachingOptions"
"""The one message that ours leave empty: it is set all the same."""


def compact(value: object, separator: str = ",") -> str:
    """Return JSON without spaces, or with one behind every comma, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(separator, ":"))


def sorted_json(value: object, separator: str = ",") -> str:
    """Return ``compact`` with all keys in alphabetical order."""
    return json.dumps(value, ensure_ascii=False, separators=(separator, ":"), sort_keys=True)


def plain(value: Any) -> Any:
    """Return a message without empty maps and lists, and with whole numbers as Go has them."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        return {
            name: kept
            for name, one in entries
            if (kept := plain(one)) not in ({}, [], None) or name == _MESSAGE
        }
    if isinstance(value, list):
        return [plain(one) for one in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def size(text: str) -> int:
    """Return how many bytes a text takes in UTF-8."""
    return len(text.encode())


def uuid(*what: str) -> str:
    """Return an identifier for something, the same each time."""
    text = _hexadecimal(*what)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def sha256(*what: str) -> str:
    """Return a digest for something, the same each time."""
    return _hexadecimal(*what)


def number(digits: int, *what: str) -> str:
    """Return a number of so many digits for something, the same each time."""
    return str(10 ** (digits - 1) + int(_hexadecimal(*what), 16) % (9 * 10 ** (digits - 1)))


def _hexadecimal(*what: str) -> str:
    return hashlib.sha256("\0".join(what).encode()).hexdigest()
