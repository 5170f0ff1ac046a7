"""Names of files: which are data, and which no engine could carry."""

from __future__ import annotations

import re

from components.errors import UserError

_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left there by an operating system."""
    return name.startswith(".") or name.lower() in _JUNK


def check_name(name: str) -> None:
    """Let a name pass that every disk and every engine takes.

    Raises:
        UserError: It holds a control character, or bytes that are not UTF-8.
    """
    if _CONTROL.search(name):
        raise UserError(f"the name {name!r} holds a control character", "rename the file")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"the name {name.encode(errors='surrogateescape')!r} is not UTF-8", "rename the file"
        ) from None
