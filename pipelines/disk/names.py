"""Names of files: which are data, which no engine could carry, and where a path leads."""

from __future__ import annotations

import re
from pathlib import Path

from components.contract.errors import UserError

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
        raise UserError(
            f"the name {name!r} holds a control character", "rename the file, or correct the name"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"the name {name.encode(errors='surrogateescape')!r} is not UTF-8",
            "rename the file, or correct the name",
        ) from None


def absolute(place: str | Path, folder: Path | None = None) -> Path:
    """Return the absolute path that a person means; its name is one that ``check_name`` lets pass.

    Args:
        place: A path, which may begin with ``~``.
        folder: What it is relative to; None is the working folder.

    Raises:
        UserError: Such a name, a home that nobody knows, or a working folder that is gone.
    """
    try:
        path = Path(place).expanduser()
    except RuntimeError:  # no such user, or one without an entry and without HOME
        raise UserError(
            f"{place}: the home folder that ~ stands for is not known",
            "export HOME=FOLDER, or write the whole path",
        ) from None
    if not path.is_absolute():
        try:
            path = (folder or Path.cwd()) / path
        except FileNotFoundError:
            raise UserError(
                f"{place} is relative to the working folder, which is gone",
                "cd to a folder that exists",
            ) from None
    check_name(str(path))
    return path
