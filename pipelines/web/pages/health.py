"""Health: how the store, its index and this service do, and what to do about what is amiss."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from starlette.responses import Response

from components.contract.errors import UserError
from components.statistics.quantities import short_bytes
from pipelines.runs.removal.condemned import Collection, collections
from pipelines.stores.bucket_uri import scheme_of
from pipelines.stores.layout import CLAIMS, ERASURES, QUARANTINE
from pipelines.stores.leases import Holder, Leases
from pipelines.stores.store import Store
from pipelines.web.service import Service
from pipelines.web.standing import Health, IndexMissingError
from pipelines.web.store_counts import Counts
from pipelines.web.view import PageRoute, View

_SHOWN = 50
_PROBLEMS = "SELECT key, what FROM problem ORDER BY key LIMIT ?"
_LAG_S, _AHEAD = 60.0, timedelta(minutes=2)
_ROOM_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Ailment:
    """Something that is amiss.

    Attributes:
        what: In a sentence.
        fix: What to do.
    """

    what: str
    fix: str


@dataclass(frozen=True)
class HeldLease:
    """A lease.

    Attributes:
        key: Of the store, where it lies.
        holder: Who holds it; None where that is damaged.
        over: Whether its holder is a process of this machine that has ended.
    """

    key: str
    holder: Holder | None
    over: bool


@dataclass(frozen=True)
class StoreKept:
    """What of the store the index does not hold.

    Attributes:
        quarantine: Keys of damaged bytes that were moved out of the way.
        leases: Who works on what.
        collections: Of garbage, the newest first.
        erasures: How many erasures there were.
    """

    quarantine: Sequence[str]
    leases: Sequence[HeldLease]
    collections: Sequence[Collection]
    erasures: int


def health(view: View) -> Response:
    """Show it; also while there is no index yet, or the store does not answer."""
    service = view.service
    found = service.health()
    counts: Counts | None = None
    problems: list[tuple[str, str]] = []
    unusable: list[Ailment] = []
    try:
        counts = service.store_counts.read()
        with service.index() as index:
            problems = [
                (str(key), str(what)) for key, what in index.execute(_PROBLEMS, (_SHOWN + 1,))
            ]
    except IndexMissingError:
        pass  # it is being made, and the page says how far that is
    except UserError as error:
        unusable = [Ailment(error.what, error.fix)]
    kept = _kept(service.store) if found.looked.fault is None else None
    jobs = sorted(service.jobs.all(), key=lambda job: job.order.at, reverse=True)
    return view.render(
        "health.html",
        title="Health",
        health=found,
        counts=counts,
        problems=problems[:_SHOWN],
        more_problems=len(problems) > _SHOWN,
        kept=kept,
        jobs=jobs[:_SHOWN],
        ailments=[*unusable, *_ailments(service, found, counts, problems, kept, view.now)],
        resident=resident_bytes(),
        free=free_bytes(service.store),
    )


def resident_bytes() -> int:
    """Return how much memory this process has."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def free_bytes(store: Store) -> int | None:
    """Return how much room is left on the disk of a store; None of one in a bucket."""
    if scheme_of(store.uri):
        return None
    try:
        return shutil.disk_usage(store.uri).free
    except OSError:
        return None


def _kept(store: Store) -> StoreKept:
    quarantine = list(store.list(QUARANTINE))
    claims = list(store.list(CLAIMS))[:_SHOWN]
    standings = Leases(store).look(claims)
    leases = [
        HeldLease(key, standing.holder, standing.free)
        for key, standing in zip(claims, standings, strict=True)
    ]
    erasures = sum(1 for _ in store.list(ERASURES))
    return StoreKept(quarantine, leases, collections(store)[::-1], erasures)


def _ailments(
    service: Service,
    found: Health,
    counts: Counts | None,
    problems: Sequence[tuple[str, str]],
    kept: StoreKept | None,
    now: datetime,
) -> Iterator[Ailment]:
    """Yield what is amiss, the worst first."""
    if fault := found.looked.fault:
        yield Ailment(f"the store cannot be read: {fault.what}", fault.fix)
    yield from _of_this_machine(service, found, counts, now)
    if problems:
        many = f"more than {_SHOWN}" if len(problems) > _SHOWN else str(len(problems))
        yield Ailment(
            f"missing or damaged in the store: {many}; all else is unharmed",
            f"slimline verify --store {service.store.uri} tells what rests on them; slimline run "
            "CONFIG makes results anew",
        )
    if kept and kept.quarantine:
        yield Ailment(
            "1 damaged value lies in quarantine"
            if len(kept.quarantine) == 1
            else f"{len(kept.quarantine)} damaged values lie in quarantine",
            "look for a failing disk or copy; they may be removed once somebody has",
        )
    if found.triggers and found.triggers.fault:
        yield Ailment(f"triggers: {found.triggers.fault}", "it is tried again by itself")
    if found.triggers and found.triggers.untold:
        yield Ailment(
            f"the command that gets notices did not take {len(found.triggers.untold)} of them: "
            f"{found.triggers.untold[-1]}",
            "try the command of notify: in the settings by hand",
        )
    if found.sync and found.sync.fault:
        yield Ailment(f"importing from the cluster: {found.sync.fault.what}", found.sync.fault.fix)
    if found.bugs:
        yield Ailment(
            f"{found.bugs} requests ended in a fault of slimline's own",
            "its output names each; please report them",
        )


def _of_this_machine(
    service: Service, found: Health, counts: Counts | None, now: datetime
) -> Iterator[Ailment]:
    looked = found.looked
    if looked.at and (lag := now - looked.at).total_seconds() > _LAG_S + 10 * looked.took_s:
        yield Ailment(
            f"the store was last looked at {int(lag.total_seconds())} s ago",
            "look into the output of slimline serve, and start it again",
        )
    free = free_bytes(service.store)
    if free is not None and free < _ROOM_BYTES:
        yield Ailment(
            f"the disk of the store has {short_bytes(free)} left",
            "slimline gc removes what nothing rests on",
        )
    if counts and counts.last_run and datetime.fromisoformat(counts.last_run) > now + _AHEAD:
        yield Ailment(
            f"a run began at {counts.last_run}, which is yet to come by the clock of this machine",
            "set the clock of this machine, or of the one that started the run (timedatectl)",
        )


ROUTES: tuple[PageRoute, ...] = (PageRoute("/health", health),)
