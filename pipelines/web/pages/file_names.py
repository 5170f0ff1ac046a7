"""Names under which browsers keep what is given to them as a file."""

from __future__ import annotations

import re

_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


def attachment(name: str, suffix: str) -> str:
    """Return the header that makes a browser keep an answer as a file, and never show it.

    Args:
        name: What the file is called, without its suffix; what a name of a file, or a header,
            could be broken with is replaced.
        suffix: Such as ``log``.
    """
    return f'attachment; filename="{_OTHER.sub("-", name).strip(".-") or "file"}.{suffix}"'
