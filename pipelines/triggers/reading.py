"""The data of a watch as a tick looks at it: listed each time, read when its listing is new.

What reading told is kept with the listing that it was read under, so a tick that meets nothing new
lists the data and does no more, however many files there are.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.runs.kept.kept_sources import put_source, read_source
from pipelines.runs.listing import listed_sources
from pipelines.runs.records import read_run
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.sources.sighting import Look, sight, sight_folders
from pipelines.sources.snapshot import DATA, Snapshot
from pipelines.sources.together import folder_of
from pipelines.stores.layout import observed_key, source_key
from pipelines.stores.store import Store
from pipelines.triggers.changes import Taken, changes
from pipelines.triggers.deciding import Going, Move, decide_watch
from pipelines.triggers.folders import SettledFolders, observe_folders
from pipelines.triggers.growing import superseding
from pipelines.triggers.kept import config_of, get_json, swap_json_of
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.observing import (
    FolderSeen,
    Observed,
    calmed,
    is_ready,
    observe,
    observed_json,
    read_observed,
)
from pipelines.triggers.settings import Trigger

_SETTLED_S = 2
"""A file that changed so recently could change again without its times showing it."""


class HandedOver(Exception):  # noqa: N818 nothing went wrong
    """Another process goes on with the evaluation."""


class DataReader:
    """Looks at the data of a watch, and decides about it.

    Args:
        store: Where the trigger is.
        trigger: A watch.
        now: Now.
        keep: Keep what was seen for the next process.
        may_read: Whether data that is new may be read by this process.
    """

    def __init__(
        self, store: Store, trigger: Trigger, now: datetime, *, keep: bool, may_read: bool
    ) -> None:
        self._store, self._trigger, self._now = store, trigger, now
        self._keep, self._may_read = keep, may_read
        self._data = config_of(trigger).data
        assert trigger.watch is not None
        self._watch = trigger.watch

    def decide(self, known: Mapping[str, Launch], waits: Going | None) -> Move:
        """Decide what is to be done.

        Args:
            known: All launches of the trigger.
            waits: What still goes on.

        Raises:
            UserError: The data cannot be listed or read.
            HandedOver: It is to be read, and this process may not.
        """
        sighted, observed, settled = self._look()
        if ending := superseding(self._store, self._trigger, known, waits, sighted, self._now):
            return ending
        part = sighted.within(settled.whole) if settled else sighted
        return decide_watch(
            self._trigger, known, waits, self._now, observed, part,
            lambda: self._read(known, observed, part, settled), settled,
        )  # fmt: skip

    def take_settled(self) -> str:
        """Read the folders that are whole by themselves, and return the digest of that snapshot.

        Raises:
            UserError: No folder is whole yet.
        """
        sighted, _, settled = self._look()
        if settled is None or not settled.whole:
            raise UserError(
                f"no folder of {self._data} is known to be whole, and --settle folder trains on "
                "nothing else",
                f"look on: slimline tick {self._trigger.name}, or add the watch with --settle all",
            )
        taken = self._snapshot(
            sighted.within(settled.whole), read_exclusions(self._store), settled.whole
        )
        return put_source(self._store, taken)

    def _look(self) -> tuple[Look, Observed, SettledFolders | None]:
        """Look at the data, and return what is known of it now."""
        if self._watch.settle == "all":
            looked = sight(self._data, self._watch.marker)
            observed = self._observed(looked, lambda _, seen: self._calmed(seen, looked))
            return looked, observed, None
        sighted = sight_folders(self._data)
        listings, marker = sighted.place.by_folder(), self._watch.marker
        marked = sighted.place.marked_folders(marker) if marker else frozenset[str]()
        found: list[SettledFolders] = []

        def by_folder(before: Observed | None, seen: Observed) -> Observed:
            onward = before is not None and datetime.fromisoformat(before.last) <= self._now
            known = before.folders if before and onward else dict[str, FolderSeen]()
            settled = observe_folders(self._watch, known, listings, marked, self._now)
            found.append(settled)
            longest_s = max(before.longest_pause_s if before else 0.0, settled.longest_pause_s)
            return replace(
                seen, folders=settled.seen, restless_since=settled.since,
                taken=before.taken if before else None, asked=before.asked if before else "",
                longest_pause_s=longest_s,
            )  # fmt: skip

        observed = self._observed(sighted, by_folder)
        return sighted, observed, found[-1]

    def _calmed(self, seen: Observed, sighted: Look) -> Observed:
        # Whether it is enough or not: the next change starts the time over.
        return calmed(seen) if is_ready(self._watch, seen, sighted) else seen

    def _observed(
        self, sighted: Look, change: Callable[[Observed | None, Observed], Observed]
    ) -> Observed:
        """Return what is known of the data after this look, and keep it for the next process."""
        found: list[Observed] = []

        def looked(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            known = read_observed(before)
            seen = observe(known, sighted, self._now, self._watch.quiet_s)
            found.append(change(known, seen))
            return observed_json(found[-1])

        key = observed_key(self._trigger.name)
        if self._keep:
            swap_json_of(self._store, self._trigger.name, key, looked)
        else:
            looked(get_json(self._store, key))
        return found[-1]

    def _read(
        self,
        known: Mapping[str, Launch],
        observed: Observed,
        sighted: Look,
        settled: SettledFolders | None,
    ) -> Taken:
        """Return what the data tells; read anew only where anything that it rests on is new."""
        excluded = read_exclusions(self._store)
        run = self._baseline(known)
        rests_on: list[str] = [self._trigger.config_digest, run, *excluded]
        if settled:
            rests_on += [sighted.digest, *sorted(settled.written)]
        asked = hashlib.sha256(canonical_json(rests_on)).hexdigest()
        if observed.taken and observed.asked == asked and self._is_kept(observed.taken, settled):
            return observed.taken
        if not self._may_read:
            raise HandedOver
        data = self._snapshot(sighted, excluded, settled.whole if settled else None)
        if self._keep and settled:  # who carries out the launch reads there which folders it means
            put_source(self._store, data)
        taken = self._compared(data, run, settled.written if settled else frozenset())
        seen_s = (self._now - datetime.fromisoformat(observed.first)).total_seconds()
        if settled:
            seen_s = settled.shortest_whole_s(self._now)
        if self._keep and seen_s >= _SETTLED_S:
            self._remember(observed.digest, taken, asked, always=settled is not None)
        return taken

    def _is_kept(self, taken: Taken, settled: SettledFolders | None) -> bool:
        """Whether a launch of what was read finds the listing that it needs."""
        return settled is None or self._store.stat(source_key(taken.digest)) is not None

    def _remember(self, listing: str, taken: Taken, asked: str, *, always: bool) -> None:
        def remembered(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            seen = read_observed(before)
            if seen is None or (seen.digest != listing and not always):  # somebody saw newer data
                return before or {}
            return observed_json(replace(seen, taken=taken, asked=asked))

        name = self._trigger.name
        swap_json_of(self._store, name, observed_key(name), remembered)

    def _snapshot(
        self, sighted: Look, excluded: tuple[str, ...], folders: frozenset[str] | None
    ) -> Snapshot:
        """Read the data, and look once more whether it changed meanwhile.

        Raises:
            UserError: It did, or cannot be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            taken = listed_sources(graph_of(config_of(self._trigger)), excluded, folders)[DATA]
        again = sight(self._data) if folders is None else sight_folders(self._data).within(folders)
        if again.digest != sighted.digest:
            raise UserError(
                f"{self._data} changed while it was read", "nothing is lost: it is looked at again"
            )
        return taken

    def _baseline(self, known: Mapping[str, Launch]) -> str:
        """Return the run whose data changes are counted against; empty where there is none."""
        if self._watch.against == "champion":
            name = str(self._trigger.configured["name"])
            champion = read_log(self._store, name).check().champion
            return champion.run if champion else ""
        done = [
            one.latest.run
            for one in known.values()
            if one.latest and one.state(self._trigger.retries) == "done"
        ]
        return done[-1] if done else ""

    def _compared(self, data: Snapshot, run: str, written: frozenset[str]) -> Taken:
        """Compare with what a run was trained on, folders that are being written apart."""
        first = Taken(data.digest, len(data.files))
        if not run:
            return first
        record = read_run(self._store, run)
        before = read_source(self._store, record.sources[DATA])
        if before is None:
            return first
        files = tuple(file for file in before.files if folder_of(file.name) not in written)
        found = changes(replace(before, files=files), data)
        withheld = len(before.files) - len(files)
        return replace(first, changes=found, run=run, trained=record.started, withheld=withheld)
