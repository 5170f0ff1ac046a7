"""What ``releases --json``, ``promote --json`` and ``rollback --json`` print, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.promoting import Promoted
from pipelines.releases.states import ReleaseState
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog


@dataclass(frozen=True)
class ListedLog:
    """The log of the releases of one name.

    Attributes:
        name: Of the releases: the configuration's name.
        entries: Those that can be trusted, oldest first; the last is the champion's.
        faults: What is not as it was written, from which entry on nothing counts; empty for a whole
            log.
    """

    name: str
    entries: Sequence[LogEntry]
    faults: Sequence[str]


@dataclass(frozen=True)
class ListedReleases:
    """What releases there are.

    Attributes:
        releases: How it stands with each, newest first.
        logs: One entry a name.
    """

    releases: Sequence[ReleaseState]
    logs: Sequence[ListedLog]


@dataclass(frozen=True)
class ChangedChampion:
    """What came of ``slimline promote`` or ``slimline rollback``.

    Attributes:
        outcome: ``promoted``, ``rolled back``, ``unchanged`` (it is the champion already) or
            ``refused`` (the gate does not say yes).
        name: Of the releases.
        run: The run whose release it is about.
        release: Its tree digest.
        champion: The last entry of the log, or null.
        gate: What the gate found; null where it was not asked.
        signed_by: Fingerprint of the key that signed the entry, or null.
    """

    outcome: str
    name: str
    run: str
    release: str
    champion: LogEntry | None
    gate: GateFinding | None
    signed_by: str | None


def listed_releases(states: Sequence[ReleaseState], logs: Sequence[ReleaseLog]) -> ListedReleases:
    """Return the document of ``slimline releases --json``."""
    return ListedReleases(states, [ListedLog(log.name, log.entries, log.faults) for log in logs])


def changed_champion(done: Promoted) -> ChangedChampion:
    """Return the document of ``slimline promote --json`` and ``slimline rollback --json``."""
    published = done.published
    return ChangedChampion(
        done.outcome,
        published.name,
        published.run,
        published.release,
        done.entry,
        done.finding,
        done.signed_by,
    )
