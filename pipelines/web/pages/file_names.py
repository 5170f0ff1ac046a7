"""Names under which browsers keep what is given to them as a file."""

from __future__ import annotations

import re

_OTHER = re.compile(r"[^A-Za-z0-9._-]")
_LENGTH_MAX = 100


def attachment(path: str) -> str:
    """Return the header that makes a browser keep an answer as a file, and never show it.

    Args:
        path: How the file is called; see ``safe_name``.
    """
    return f'attachment; filename="{safe_name(path)}"'


def safe_name(path: str) -> str:
    """Return a name that no file system and no header takes for anything else."""
    name = _OTHER.sub("_", path.rpartition("/")[2]).lstrip(".")
    return name[-_LENGTH_MAX:].lstrip(".") or "file"
