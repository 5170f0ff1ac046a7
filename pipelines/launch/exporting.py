"""Exporting what a run published: the release and its leaderboard page, in one folder.

A release stays after its run: a later run without a winner, or whose winner does not qualify,
leaves a qualified release where it is and puts its report beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from components.artifacts.empty import FILE as NOTHING
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.qualification import MANIFEST, qualification_in
from components.artifacts.released_files import files_in, release_faults
from components.contract.errors import UserError
from components.contract.tree import SINGLE
from pipelines.disk.exchange import exchange, restore
from pipelines.disk.files import disk_faults, sync_folder
from pipelines.disk.folders import remove_tree
from pipelines.launch.release_folder import (
    LATEST_PAGE,
    LIST,
    PAGE,
    ReleaseList,
    examine,
    report_in,
)
from pipelines.runs.cache import Cache
from pipelines.runs.choices import choices_in

_FRESH, _OLD = "new", "old"
_NAMED = 3
"""How many files a complaint names."""


class NotMeasuredError(UserError):
    """A release is not the file that was measured."""


@dataclass(frozen=True)
class PublishedRun:
    """What a run published, by tree digest.

    Attributes:
        name: The configuration's name.
        run: The run's identifier.
        release: What publish made.
        page: The report, with the verdict of the sealed images; of a run of an earlier version
            the page of the choice, which does not know it.
        decisions: What each choice found: one, or one a device.
    """

    name: str
    run: str
    release: str
    page: str
    decisions: tuple[str, ...]

    @classmethod
    def of(cls, name: str, run: str, outputs: Mapping[str, Mapping[str, str]]) -> PublishedRun:
        """Find it among the outputs of steps, by their names.

        Raises:
            KeyError: The run has not got so far.
        """
        decisions = tuple(
            outputs[choice.select]["decision"] for choice in choices_in(outputs.keys())
        )
        return cls(name, run, outputs["publish"]["release"], report_in(outputs), decisions)


def check_output(folder: Path, cache: Cache, name: str) -> None:
    """Refuse, before anything runs, a place that the release must not replace.

    Args:
        folder: Where a release is to be written.
        cache: The store, which knows what earlier versions wrote.
        name: The configuration's name.

    Raises:
        UserError: It is no folder, cannot be exchanged, or holds something that slimline did not
            write there.
    """
    with disk_faults(folder):
        place = _place(folder)
        if place.exists():
            _refuse_foreign(place, place, cache, name)


def _place(folder: Path) -> Path:
    """Return the folder that is meant, links followed, whether or not it exists."""
    fix = "name another folder, which need not exist yet, with --output DIR"
    with disk_faults(folder):
        blocked = any(path.exists() and not path.is_dir() for path in (folder, *folder.parents))
        dangling = folder.is_symlink() and not folder.exists()
        if blocked or dangling or folder.name in ("", ".."):
            raise UserError(f"{folder} is no folder that a release can replace", fix)
        return folder.resolve()


def _refuse_foreign(place: Path, folder: Path, cache: Cache, name: str) -> ReleaseList | None:
    """Return what slimline wrote into a folder that holds nothing else.

    Args:
        place: What the folder is called in the message.
        folder: Where it lies now.
        cache: The store, which knows what earlier versions wrote.
        name: The configuration's name.

    Raises:
        UserError: It holds something else.
    """
    listed, faults = examine(folder, cache, (name,))
    others = [fault for fault in faults if fault.state != "missing"]
    if others:
        found = "; ".join(f"{fault.name} {fault.what}" for fault in others[:_NAMED])
        more = f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise UserError(
            f"{place} would be replaced as a whole, and holds other files: {found}{more}",
            "move them out of the folder, or name another folder with --output DIR",
        )
    return listed


def check_measured(cache: Cache, published: PublishedRun) -> bool | None:
    """Check that a release holds the files that were measured, and that its manifest says so.

    Returns:
        Whether it qualifies; None when there was no winner to release.

    Raises:
        NotMeasuredError: It does not.
        CorruptionError: Bytes are missing or broken.
    """
    files = {entry.path: entry.sha256 for entry in cache.tree(published.release).entries}
    try:
        measured = set(_measured(cache, published))
        if not measured and NOTHING in files:
            return None
        manifest = json.loads(cache.read_file(published.release, MANIFEST))
        read = partial(cache.read_file, published.release)
        described = {entry["sha256"] for entry in files_in(manifest)}
        if described == measured and not any(release_faults(manifest, files, read)):
            return qualification_in(manifest)[0]
    except (ValueError, LookupError, TypeError, RecursionError, StopIteration):
        pass
    raise NotMeasuredError(
        f"the release of run {published.run} is not the file that was measured and chosen",
        "slimline verify names what is damaged; then slimline run CONFIG again",
    )


def _measured(cache: Cache, published: PublishedRun) -> Iterator[str]:
    """Yield the sha256 of the file that won, of each choice that somebody won."""
    for tree in published.decisions:
        decision = json.loads(cache.read_file(tree, "decision.json"))
        winner = decision["winner"]
        if winner is not None:
            yield next(one["sha256"] for one in decision["variants"] if one["name"] == winner)


def export(cache: Cache, published: PublishedRun, folder: Path, *, anyway: bool = False) -> Path:
    """Write a release and its leaderboard where a person finds them.

    The folder is replaced as a whole, or stays as it was. A qualified release in it stays beside
    the report of a run whose winner does not qualify; any release stays when there is no winner.

    Args:
        cache: The store that holds the run.
        published: What to write.
        folder: Where to; the folders above it are made.
        anyway: A qualified release gives way to one that does not qualify.

    Returns:
        The folder.

    Raises:
        UserError: The folder cannot be written, or holds what slimline did not write there.
        NotMeasuredError: The release is not what was measured.
        CorruptionError: Bytes in the store are missing or broken.
    """
    qualified = check_measured(cache, published)
    try:
        place = _place(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.parent) as alone:
            if alone:
                _sweep(place)
            staging = place.parent / f"{_prefix(place)}{secrets.token_hex(8)}"
            staging.mkdir()
            try:
                _exchange(cache, published, place, staging, qualified=qualified, anyway=anyway)
            finally:
                restore(place, staging / _OLD)
                remove_tree(staging)
    except OSError as error:
        raise UserError(
            f"the release cannot be written to {folder}: {error.strerror}",
            f"slimline export {published.run} --output DIR writes it to another place",
        ) from error
    return folder


def _exchange(
    cache: Cache,
    published: PublishedRun,
    folder: Path,
    staging: Path,
    *,
    qualified: bool | None,
    anyway: bool,
) -> None:
    """Make the new folder inside ``staging`` and put it where the old one is."""
    held = _refuse_foreign(folder, folder, cache, published.name) if folder.exists() else None
    fresh = staging / _FRESH
    fresh.mkdir()
    page = cache.read_file(published.page, SINGLE)
    if held and _stays(folder, held, qualified=qualified, anyway=anyway):
        kept = (name for name in held.files if name != LATEST_PAGE and (folder / name).exists())
        listed = _write(fresh, {name: (folder / name).read_bytes() for name in kept})
        if any(held.files[name] != digest for name, digest in listed.items()):
            raise UserError(f"{folder} was changed while it was read", "run the command again")
        _write(fresh, {LATEST_PAGE: page})
        listed[LATEST_PAGE] = _sha256(page)
        written = replace(held, files=listed, latest_run=published.run)
    else:
        entries = cache.tree(published.release).entries
        files = {entry.path: cache.read_file(published.release, entry.path) for entry in entries}
        listed = _write(fresh, {**files, PAGE: page})
        written = ReleaseList(published.run, published.release, listed)
    _write(fresh, {LIST: written.to_bytes()})
    sync_folder(fresh)
    old = exchange(folder, fresh, staging / _OLD)
    sync_folder(folder.parent)
    if old:
        try:  # somebody may have put a file there since it was looked at
            _refuse_foreign(folder, old, cache, published.name)
        except UserError:
            exchange(folder, old, staging / "back")
            raise


def _stays(folder: Path, held: ReleaseList, *, qualified: bool | None, anyway: bool) -> bool:
    """Whether the release that is there stays after a run with such an outcome."""
    if qualified or MODEL_FILE not in held.files or not (folder / MODEL_FILE).exists():
        return False
    if qualified is None:
        return True
    return not anyway and qualification_in(json.loads((folder / MANIFEST).read_bytes()))[0]


def _write(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files that survive a power cut; return their sha256 by name."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return {name: _sha256(data) for name, data in files.items()}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _prefix(folder: Path) -> str:
    """Return what the names of unfinished folders beside ``folder`` begin with."""
    return f".slimline-{_sha256(os.fsencode(folder.name))[:12]}-"


def _sweep(folder: Path) -> None:
    """Remove what killed exports to ``folder`` left beside it.

    An old folder that had stepped aside comes back. Where something else has taken its name since,
    it stays where it is.
    """
    name = re.compile(re.escape(_prefix(folder)) + r"[0-9a-f]{16}")
    for path in list(folder.parent.iterdir()):
        if name.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            restore(folder, path / _OLD)
            if not ((path / _OLD).exists() and (path / _FRESH).exists()):
                remove_tree(path)


@contextlib.contextmanager
def _alone(parent: Path) -> Generator[bool]:
    """Keep other exports to folders of ``parent`` waiting; False where the disk has no locks."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
