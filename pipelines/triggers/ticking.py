"""A tick: every trigger is evaluated once, and what is due is launched.

Ticks may come as often as one likes, from any number of machines and processes at a time: cron, a
systemd timer, a CronJob. What is decided rests on what the store holds, and each launch is carried
out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from components.contract.errors import UserError
from pipelines.launch.launching import launch
from pipelines.runs.events import Event
from pipelines.stores.layout import CLAIMS, launch_lease_key
from pipelines.stores.leases import LENGTH_S, Leases
from pipelines.stores.store import Store
from pipelines.triggers import deciding
from pipelines.triggers.confirming import by_hand_key
from pipelines.triggers.deciding import Move
from pipelines.triggers.kept import change_trigger, read_trigger, trigger_names
from pipelines.triggers.launches import Launch, end, launches, reserve
from pipelines.triggers.reading import DataReader, HandedOver
from pipelines.triggers.running import Carried, Launcher, actor_of, carry_out, close_killed
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import Tick, note

_LEASES = "launch-"
_PATIENCE = 1.2
"""Lengths of a lease to wait for one whose holder seems to be gone."""


@dataclass(frozen=True)
class Ticked:
    """What one evaluation of a trigger came to.

    Attributes:
        trigger: Its name.
        rows: What was decided, as it was noted.
        carried: What became of what was launched, by run.
        error: What kept it from being evaluated, or None.
    """

    trigger: str
    rows: tuple[Tick, ...]
    carried: Mapping[str, Carried]
    error: UserError | None = None


class Ticker:
    """Evaluates triggers of a store.

    Args:
        store: Where they are kept.
        at_once: So many launches may go on at a time, of all triggers together.
        lease_s: How long who carries out a launch may be silent.
        clock: Now, with its time zone.
        on_event: Told what happens in runs, with the name of the trigger.
        launcher: Runs a configuration.
        hand_over: Given the name of a trigger whose data is to be read or which is to launch:
            another process evaluates it then. None: this one does.
    """

    def __init__(
        self,
        store: Store,
        *,
        at_once: int = 1,
        lease_s: float = LENGTH_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_event: Callable[[str, Event], None] = lambda _name, _event: None,
        launcher: Launcher = launch,
        hand_over: Callable[[str], None] | None = None,
    ) -> None:
        self._launcher = launcher
        self._hand_over = hand_over
        self._store = store
        self._at_once = at_once
        self._lease_s = lease_s
        self._clock = clock
        self._on_event = on_event
        self._leases = Leases(store, lease_s)

    def close(self) -> None:
        """Give up the leases of this process."""
        self._leases.close()

    def tick(self, name: str | None = None, *, dry: bool = False) -> Iterator[Ticked]:
        """Evaluate one trigger, or all of them by name; one that fails hinders no other.

        Args:
            name: Of the trigger; None are all.
            dry: Decide and launch nothing, note nothing.

        Raises:
            UserError: There is no trigger of that name.
        """
        if name is not None:
            read_trigger(self._store, name)
        for each in [name] if name is not None else trigger_names(self._store):
            try:
                yield self._one(read_trigger(self._store, each), dry=dry)
            except UserError as error:
                yield Ticked(each, (self._failed(each, error, dry=dry),), {}, error)

    def launch_now(self, trigger: Trigger, why: str, actor: str) -> tuple[str, Carried]:
        """Launch a trigger whatever its times and its data say.

        Returns:
            The run, and what became of it.
        """
        key = by_hand_key(self._clock())
        return self._begin(trigger, Move("launch", why, key), actor, patient=False)

    def try_again(self, trigger: Trigger, failed: Launch, actor: str) -> tuple[str, Carried]:
        """Try a launch again.

        Returns:
            The run, and what became of it.
        """
        latest = failed.latest
        number = latest.number + 1 if latest else 1
        snapshot = latest.snapshot if latest else ""
        again = Move("launch", actor, failed.key, number, snapshot)
        return self._begin(trigger, again, actor, patient=False)

    def _one(self, trigger: Trigger, *, dry: bool) -> Ticked:
        now = self._clock()
        if trigger.paused:
            return Ticked(trigger.name, (Tick.of(now, "paused", trigger.paused),), {})
        try:
            return self._evaluated(trigger, now, dry=dry)
        except HandedOver:
            assert self._hand_over
            self._hand_over(trigger.name)
            return Ticked(trigger.name, (), {})

    def _evaluated(self, trigger: Trigger, now: datetime, *, dry: bool) -> Ticked:
        known = launches(self._store, trigger)
        decisions, waits = deciding.decide_unfinished(trigger, known, self._held(trigger), now)
        if pause := deciding.decide_pause(trigger, known):
            decisions.append(pause)
        elif not decisions:
            decisions += self._due(trigger, known, waits, now, dry=dry)
        rows: list[Tick] = []
        carried: dict[str, Carried] = {}
        for decision in decisions:
            if decision.what == "launch" and self._hand_over and self._has_room(trigger, decision):
                raise HandedOver
            if decision.what == "launch" and not dry:  # whoever kills it leaves that it was begun
                note(self._store, trigger.name, self._row(decision))
            row, done = self._act(trigger, known, decision, dry=dry)
            if not dry:
                row = note(self._store, trigger.name, row, of_last=decision.what == "launch")
            rows.append(row)
            if done:
                carried[row.run] = done
        return Ticked(trigger.name, tuple(rows), carried)

    def _failed(self, name: str, error: UserError, *, dry: bool) -> Tick:
        row = Tick.of(self._clock(), "error", str(error))
        return row if dry else note(self._store, name, row)

    # what is due --------------------------------------------------------------------------------

    def _due(
        self, trigger: Trigger, known: Mapping[str, Launch], waits: str, now: datetime, *, dry: bool
    ) -> list[Move]:
        if trigger.schedule:
            return deciding.decide_schedule(trigger, known, waits, now)
        reader = DataReader(self._store, trigger, now, keep=not dry, may_read=not self._hand_over)
        return [reader.decide(known, waits)]

    # what is done -------------------------------------------------------------------------------

    def _held(self, trigger: Trigger) -> Callable[[str], bool]:
        def held_by_somebody(key: str) -> bool:
            (standing,) = self._leases.look([launch_lease_key(trigger.uid, key)])
            return not standing.free

        return held_by_somebody

    def _act(
        self, trigger: Trigger, known: Mapping[str, Launch], decision: Move, *, dry: bool
    ) -> tuple[Tick, Carried | None]:
        """Do what was decided."""
        now, row = self._clock(), self._row(decision)
        if dry or decision.what in ("nothing", "wait", "hold"):
            return row, None
        at, actor = now.isoformat(timespec="milliseconds"), actor_of(trigger)
        if decision.what == "pause":
            change_trigger(self._store, trigger.name, lambda one: replace(one, paused=decision.why))
            return row, None
        if decision.what == "leave out":
            end(self._store, trigger, decision.key, "skipped", decision.why, at, actor)
            return row, None
        if decision.what == "cancel":
            for key, one in known.items():
                if one.state(trigger.retries) in ("reserved", "running", "killed", "failed"):
                    end(self._store, trigger, key, "superseded", decision.why, at, actor)
            return row, None
        if not self._has_room(trigger, decision):
            why = f"{self._at_once} of {self._at_once} launches go on; {decision.why}"
            return replace(row, what="wait", why=why), None
        before = known.get(decision.key)
        if before and before.latest and before.latest.number < decision.number:
            close_killed(self._store, before.latest.run)
        run, done = self._begin(trigger, decision, actor, patient=before is not None)
        why = f"{row.why}: {done.what}" + (f", {done.why}" if done.why else "")
        return replace(row, run=run, why=why), done

    def _row(self, decision: Move) -> Tick:
        return Tick.of(
            self._clock(), decision.what, decision.why, decision.key, snapshot=decision.snapshot
        )

    def _begin(
        self, trigger: Trigger, decision: Move, actor: str, *, patient: bool
    ) -> tuple[str, Carried]:
        attempt = reserve(
            self._store, trigger, decision.key, decision.number, at=self._clock(),
            snapshot=decision.snapshot, why=decision.why, actor=actor,
        )  # fmt: skip
        done = carry_out(
            self._store, trigger, attempt, self._leases, now=self._clock,
            on_event=lambda event: self._on_event(trigger.name, event), launcher=self._launcher,
            # Only time tells that a lease of another machine has ended.
            patience_s=_PATIENCE * self._lease_s if patient else 0.0,
        )  # fmt: skip
        return attempt.run, done

    def _has_room(self, trigger: Trigger, decision: Move) -> bool:
        """Whether fewer launches go on beside one than are allowed at a time."""
        # What somebody left behind under its own key is waited for later.
        own = launch_lease_key(trigger.uid, decision.key)
        keys = [one for one in self._store.list(f"{CLAIMS}{_LEASES}") if one != own]
        others = sum(not standing.free for standing in self._leases.look(keys))
        return others < self._at_once
