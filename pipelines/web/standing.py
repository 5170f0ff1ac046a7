"""What the service knows after a look at the store, and how it does: what pages are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from components.contract.errors import UserError
from pipelines.runs.live.progress import RunProgress
from pipelines.runs.records import RunRecord
from pipelines.triggers.loop import LoopHealth


class IndexMissingError(UserError):
    """There is no index of the store yet: it is being made."""


@dataclass(frozen=True)
class Reading:
    """How far the reading of runs is, while an index is made.

    Attributes:
        done: So many have been read.
        all: So many there are.
    """

    done: int
    all: int


@dataclass(frozen=True)
class StoreSeen:
    """What was known after the latest look at the store.

    Attributes:
        version: Another one with every piece of news.
        at: When that look ended; None before the first one.
        took_s: How long it took.
        live: How far the runs are that go on, by run.
        gone: Records of runs that never ended because their process is gone, by run.
        fault: What kept the store from being read, or None.
    """

    version: str = ""
    at: datetime | None = None
    took_s: float = 0.0
    live: Mapping[str, RunProgress] = field(default_factory=dict[str, RunProgress])
    gone: Mapping[str, RunRecord] = field(default_factory=dict[str, RunRecord])
    fault: UserError | None = None


@dataclass(frozen=True)
class SyncHealth:
    """How the import of a cluster's runs does.

    Attributes:
        host: Of the cluster; empty: the environment's.
        at: When the latest import ended; None before the first one.
        took_s: How long it took.
        runs: So many runs the cluster has.
        imported: So many were imported since the service began.
        fault: Why the latest import failed, or one of its runs, or None.
    """

    host: str
    at: datetime | None = None
    took_s: float = 0.0
    runs: int = 0
    imported: int = 0
    fault: UserError | None = None


@dataclass(frozen=True)
class Health:
    """How a service does.

    Attributes:
        release: Of slimline.
        began: When the service began.
        looked: The latest look at the store.
        reading: How far an index is that is being made, or None.
        index_bytes: Size of the index.
        triggers: Of the loop that evaluates triggers; None where this service does not.
        sync: Of the import of a cluster's runs; None where the settings name no cluster.
        refused: So many requests were refused since it began.
        bugs: So many requests ended in a fault of slimline's own since it began.
    """

    release: str
    began: datetime
    looked: StoreSeen
    reading: Reading | None
    index_bytes: int
    triggers: LoopHealth | None
    sync: SyncHealth | None
    refused: int
    bugs: int
