"""The empty result: nothing keeps to the budget, and what follows passes that on."""

from __future__ import annotations

import json
from pathlib import Path

from components.contract.digests import canonical_json

FILE = "none.json"


def empty_reason(path: Path) -> str | None:
    """Return why the tree at ``path`` holds no result, or None when it holds one."""
    file = path / FILE
    return json.loads(file.read_bytes())["reason"] if file.is_file() else None


def write_empty(path: Path, reason: str) -> None:
    """Write the tree that stands for "no result"."""
    path.mkdir(parents=True, exist_ok=True)
    (path / FILE).write_bytes(canonical_json({"winner": None, "reason": reason}))
