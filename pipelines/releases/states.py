"""What releases there are, and how it stands with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from components.contract.errors import UserError, suggest
from pipelines.releases.published import read_published
from pipelines.runs.cache import Cache
from pipelines.runs.releases.registry import registered, release_names
from pipelines.runs.releases.release_log import is_release_name, read_log
from pipelines.runs.releases.release_log_entries import ReleaseLog
from pipelines.stores.store import Store

State = Literal[
    "champion", "candidate", "past", "older", "rolled back", "unqualified", "no winner", "damaged"
]


@dataclass(frozen=True)
class ReleaseState:
    """How it stands with the release of one run.

    Attributes:
        name: Of the releases.
        run: The run that published it.
        release: Its tree digest.
        state: ``champion``; ``candidate`` (it qualifies, and its run began after the champion's, or
            there is none); ``past`` (it was the champion); ``older`` (it qualifies, and one whose
            run began later became the champion instead); ``rolled back``; ``unqualified``;
            ``no winner`` (the run published nothing); ``damaged``.
        variant: Which variant won; empty where there is no release to read.
        size_bytes: Of the model.
        promoted_at: When it last became the champion, ISO 8601, UTC; None if it never did.
        what: Of a damaged one what is wrong, of an unqualified one why; else empty.
    """

    name: str
    run: str
    release: str
    state: State
    variant: str = ""
    size_bytes: int | None = None
    promoted_at: str | None = None
    what: str = ""


def check_name(store: Store, name: str) -> str:
    """Return a name if releases are called so.

    Raises:
        UserError: There are none.
    """
    names = release_names(store)
    if is_release_name(name) and name in names:
        return name
    fix = suggest(name, names) if names else "slimline run CONFIG"
    raise UserError(f"the store {store.uri} holds no release called {name}", fix)


def states_of(cache: Cache, name: str) -> list[ReleaseState]:
    """Return the releases of a name, newest first.

    A log that cannot be trusted counts as far as it can be.
    """
    log = read_log(cache.store, name)
    return [_state(cache, log, run, release) for run, release in registered(cache.store, name)]


def _state(cache: Cache, log: ReleaseLog, run: str, release: str) -> ReleaseState:
    entries = [entry for entry in log.entries if (entry.release, entry.run) == (release, run)]
    at = entries[-1].at if entries else None
    try:
        published = read_published(cache, log.name, run, release)
    except UserError as error:
        return ReleaseState(log.name, run, release, "damaged", promoted_at=at, what=error.what)
    if published is None:
        return ReleaseState(log.name, run, release, "no winner")
    qualified, reasons = published.qualified
    state: State
    champion = log.champion
    if champion and (champion.release, champion.run) == (release, run):
        state = "champion"
    elif entries and release in log.rolled_back and _ended_by_rollback(log, release):
        state = "rolled back"
    elif entries:
        state = "past"
    elif not qualified:
        state = "unqualified"
    else:  # identifiers of runs sort by their start
        state = "candidate" if champion is None or run > champion.run else "older"
    return ReleaseState(
        log.name, run, release, state,
        variant=", ".join(published.variants),
        size_bytes=sum(entry.size_bytes for entry in published.models),
        promoted_at=at,
        what="" if qualified else "; ".join(reasons),
    )  # fmt: skip


def _ended_by_rollback(log: ReleaseLog, release: str) -> bool:
    """Whether the last time that it was the champion was ended by a rollback."""
    last = max(n for n, entry in enumerate(log.entries) if entry.release == release)
    return last + 1 < len(log.entries) and log.entries[last + 1].kind == "rollback"
