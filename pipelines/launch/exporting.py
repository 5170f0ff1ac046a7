"""Exporting what a run published: the release and its leaderboard page, in one folder."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.contract.errors import UserError
from components.contract.tree import SINGLE
from pipelines.disk.files import disk_faults
from pipelines.runs.cache import Cache
from pipelines.runs.events import StepDone
from pipelines.runs.registry import register_release
from pipelines.runs.settled_steps import Settled

PAGE = "report.html"
"""Name of the leaderboard page beside the release; a folder without it holds no release."""


def check_output(folder: Path) -> None:
    """Refuse, before anything runs, a place that the release must not replace.

    Raises:
        UserError: It is no folder, cannot be exchanged, or holds something other than a release.
    """
    fix = "name another folder, which need not exist yet, with --output DIR"
    with disk_faults(folder):
        blocked = any(path.exists() and not path.is_dir() for path in (folder, *folder.parents))
        if blocked or folder.name in ("", ".."):
            raise UserError(f"{folder} is no folder that a release can replace", fix)
        held = [path.name for path in folder.iterdir()] if folder.exists() else []
    if held and PAGE not in held:
        raise UserError(
            f"{folder} would be replaced as a whole, and holds no release but {min(held)}", fix
        )


def export(cache: Cache, steps: Mapping[str, Settled], folder: Path, name: str, run: str) -> Path:
    """Register the release, and write it and the leaderboard where a person finds them.

    The folder is replaced as a whole, or stays as it was.
    """
    published, selected = steps["publish"], steps["select"]
    assert isinstance(published, StepDone)
    assert isinstance(selected, StepDone)
    release = published.outputs["release"]
    register_release(cache.store, name, run, release)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            fresh = Path(temporary, "new")
            for entry in cache.tree(release).entries:
                path = fresh / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cache.read_file(release, entry.path))
            (fresh / PAGE).write_bytes(cache.read_file(selected.outputs["page"], SINGLE))
            if folder.exists():
                folder.rename(Path(temporary, "old"))
            fresh.rename(folder)
    except OSError as error:
        raise UserError(
            f"the release cannot be written to {folder}: {error.strerror}",
            "name another place with --output DIR, then run again: every step is cached",
        ) from error
    return folder
