"""Names of files: which are data, which no engine could carry, and where a path leads."""

from __future__ import annotations

import os
import re
from pathlib import Path

from components.contract.errors import UserError

_JUNK = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r", "$recycle.bin",
     "system volume information", "lost+found", "@eadir", "_success"}
)  # fmt: skip
_UNFINISHED = (".partial", ".tmp")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is no data.

    It is hidden, left there by an operating system, a mark that something is complete, or not
    written to its end.
    """
    lower = name.lower()
    return name.startswith(".") or lower in _JUNK or lower.endswith(_UNFINISHED)


def fault_of_name(name: str) -> str:
    """Return why no engine could carry a name: it "holds ..." or "is ..."; empty when all can."""
    if name.isascii() and name.isprintable():  # most of a million names
        return ""
    if _CONTROL.search(name):
        return "holds a control character"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return ""


def printable(name: str) -> str:
    """Return a name as text that every disk and terminal takes, odd bytes in hexadecimal."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def check_name(name: str) -> None:
    """Let a name pass that every disk and every engine takes.

    Raises:
        UserError: It holds a control character, or bytes that are not UTF-8.
    """
    fault = fault_of_name(name)
    if fault:
        shown = repr(name) if "control" in fault else repr(os.fsencode(name))
        raise UserError(f"the name {shown} {fault}", "rename the file, or correct the name")


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
