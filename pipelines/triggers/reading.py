"""The data of a watch as a tick looks at it: listed each time, read when its listing is new.

What reading told is kept with the listing that it was read under, so a tick that meets nothing new
lists the data and does no more, however many files there are.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.runs.exclusions import read_exclusions
from pipelines.runs.kept_sources import read_source
from pipelines.runs.listing import listed_sources
from pipelines.runs.records import read_run
from pipelines.runs.release_log import read_log
from pipelines.sources.sighting import Look, sight
from pipelines.sources.snapshot import DATA, Snapshot
from pipelines.stores.layout import observed_key
from pipelines.stores.store import Store
from pipelines.triggers.changes import Taken, changes
from pipelines.triggers.deciding import Going, Move, decide_watch
from pipelines.triggers.growing import superseding
from pipelines.triggers.kept import config_of, get_json, swap_json_of
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.observing import (
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

    def decide(self, known: Mapping[str, Launch], waits: Going | None) -> Move:
        """Decide what is to be done.

        Args:
            known: All launches of the trigger.
            waits: What still goes on.

        Raises:
            UserError: The data cannot be listed or read.
            HandedOver: It is to be read, and this process may not.
        """
        watch = self._trigger.watch
        assert watch is not None
        sighted = sight(self._data, watch.marker)
        observed = self._observed(sighted)
        if ending := superseding(self._store, self._trigger, known, waits, sighted, self._now):
            return ending
        return decide_watch(
            self._trigger, known, waits, self._now, observed, sighted,
            lambda: self._read(known, observed, sighted),
        )  # fmt: skip

    def _observed(self, sighted: Look) -> Observed:
        """Return what is known of the data after this look, and keep it for the next process."""
        found: list[Observed] = []

        def looked(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            assert self._trigger.watch is not None
            quiet_s = self._trigger.watch.quiet_s
            seen = observe(read_observed(before), sighted, self._now, quiet_s)
            # Whether it is enough or not: the next change starts the time over.
            found.append(calmed(seen) if is_ready(self._trigger.watch, seen, sighted) else seen)
            return observed_json(found[-1])

        key = observed_key(self._trigger.name)
        if self._keep:
            swap_json_of(self._store, self._trigger.name, key, looked)
        else:
            looked(get_json(self._store, key))
        return found[-1]

    def _read(self, known: Mapping[str, Launch], observed: Observed, sighted: Look) -> Taken:
        """Return what the data tells; read anew only where anything that it rests on is new."""
        excluded = read_exclusions(self._store)
        run = self._baseline(known)
        rests_on = canonical_json([self._trigger.config_digest, run, *excluded])
        asked = hashlib.sha256(rests_on).hexdigest()
        if observed.taken and observed.asked == asked:
            return observed.taken
        if not self._may_read:
            raise HandedOver
        taken = self._compared(self._snapshot(sighted, excluded), run)
        seen_s = (self._now - datetime.fromisoformat(observed.first)).total_seconds()
        if self._keep and seen_s >= _SETTLED_S:
            self._remember(sighted, taken, asked)
        return taken

    def _remember(self, sighted: Look, taken: Taken, asked: str) -> None:
        def remembered(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            seen = read_observed(before)
            if seen is None or seen.digest != sighted.digest:  # somebody has seen newer data
                return before or {}
            return observed_json(replace(seen, taken=taken, asked=asked))

        name = self._trigger.name
        swap_json_of(self._store, name, observed_key(name), remembered)

    def _snapshot(self, sighted: Look, excluded: tuple[str, ...]) -> Snapshot:
        """Read the data, and look once more whether it changed meanwhile.

        Raises:
            UserError: It did, or cannot be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            taken = listed_sources(graph_of(config_of(self._trigger)), excluded)[DATA]
        watch = self._trigger.watch
        if sight(self._data, watch.marker if watch else None).digest != sighted.digest:
            raise UserError(
                f"{self._data} changed while it was read", "nothing is lost: it is looked at again"
            )
        return taken

    def _baseline(self, known: Mapping[str, Launch]) -> str:
        """Return the run whose data changes are counted against; empty where there is none."""
        assert self._trigger.watch is not None
        if self._trigger.watch.against == "champion":
            name = str(self._trigger.configured["name"])
            champion = read_log(self._store, name).check().champion
            return champion.run if champion else ""
        done = [
            one.latest.run
            for one in known.values()
            if one.latest and one.state(self._trigger.retries) == "done"
        ]
        return done[-1] if done else ""

    def _compared(self, data: Snapshot, run: str) -> Taken:
        first = Taken(data.digest, len(data.files))
        if not run:
            return first
        record = read_run(self._store, run)
        before = read_source(self._store, record.sources[DATA])
        if before is None:
            return first
        return replace(first, changes=changes(before, data), run=run, trained=record.started)
