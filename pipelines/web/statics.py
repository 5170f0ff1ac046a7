"""Style sheet and scripts, under addresses that hold their digest: browsers keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from components import pages as reports
from components.pages.charts.svg import STYLE

HERE = Path(__file__).parent / "static"
REPORTS = Path(reports.__file__).parent
"""Where the style sheet and the templates of reports lie."""
_SHEETS = ("app.css", "runs.css", "lineage.css", "releases.css")
"""Parts of the style sheet of all pages, in their order; other sheets are linked by their pages."""

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """Return content and type of every file by its name.

    The style sheet of all pages begins with those of the reports: both look alike.
    """
    files = {path.name: path.read_bytes() for path in sorted(HERE.iterdir()) if path.is_file()}
    parts = [STYLE.read_bytes(), (REPORTS / "style.css").read_bytes()]
    files["app.css"] = b"".join([*parts, *(files.pop(name) for name in _SHEETS)])
    return {name: (data, _TYPES[Path(name).suffix]) for name, data in files.items()}


@cache
def release() -> str:
    """Return what changes with any of the files; scripts import each other within it."""
    told = hashlib.sha256()
    for name, (data, _) in static_files().items():
        told.update(f"{name} {len(data)} ".encode() + data)
    return told.hexdigest()[:12]


def address_of(name: str) -> str:
    """Return where a page finds a file."""
    assert name in static_files(), name
    return f"/static/{release()}/{name}"
