"""Redacting: documents without the lines and words that name somebody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from components.contract.digests import canonical_json
from pipelines.retention.holding import DataSubject

ERASED = "[erased]"
_TEXT = (".html", ".md", ".txt", ".csv")


def redacted(path: str, data: bytes, subject: DataSubject) -> bytes | None:
    """Return a document without whom it names; None where it names nobody, or is none.

    Lines of ``.jsonl`` that name the subject go. In other JSON texts and keys that are the person's
    name, or hold the name of one of the files, become ``[erased]``; in pages and other text the
    names of files do.

    Args:
        path: Its name, which tells its form.
        data: Its bytes.
        subject: Whom or what to leave out.
    """
    try:
        text = data.decode()
        if path.endswith(".jsonl"):
            lines = text.splitlines()
            kept = [line for line in lines if not _names(json.loads(line), subject)]
            if len(kept) == len(lines):
                return None
            return "".join(f"{line}\n" for line in kept).encode()
        if path.endswith(".json"):
            value = json.loads(text)
            made = _without(value, subject)
            return None if made == value else canonical_json(made)
    except (ValueError, RecursionError):
        return None
    made = _replaced(text, subject) if path.endswith(_TEXT) else text
    return None if made == text else made.encode()


def mentions(data: bytes, subject: DataSubject) -> bool:
    """Whether bytes hold the name of one of the files, or in quotes or paths that of the person."""
    marks = [name.encode() for name in subject.names if not _is_short(name)]
    for label in subject.labels:
        marks += [f"{a}{label}{b}".encode() for a, b in ("''", '""', "//", '"/')]
    return any(mark in data for mark in marks)


def _is_short(name: str) -> bool:
    """Whether a name could be anything, such as that of a record by its number alone."""
    return len(name) < 5


def _names(value: object, subject: DataSubject) -> bool:
    """Whether a value of JSON names the subject anywhere."""
    if isinstance(value, dict):
        items = cast("Mapping[str, object]", value)
        return any(_names(one, subject) for pair in items.items() for one in pair)
    if isinstance(value, list):
        return any(_names(one, subject) for one in cast("list[object]", value))
    return isinstance(value, str) and (
        value in subject.names
        or value in subject.files
        or value in subject.pixels
        or subject.is_label(value)
    )


def _without(value: Any, subject: DataSubject) -> Any:
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value)
        return {_text(key, subject): _without(one, subject) for key, one in items.items()}
    if isinstance(value, list):
        return [_without(one, subject) for one in cast("list[Any]", value)]
    return _text(value, subject) if isinstance(value, str) else value


def _text(text: str, subject: DataSubject) -> str:
    if subject.is_label(text) or text in subject.files or text in subject.pixels:
        return ERASED
    return _replaced(text, subject)


def _replaced(text: str, subject: DataSubject) -> str:
    for name in sorted(subject.names, key=len, reverse=True):
        if not _is_short(name):
            text = text.replace(name, ERASED)
    return text
