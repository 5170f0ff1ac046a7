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
from pipelines.runs.live.events import Event
from pipelines.stores.layout import launch_lease_key
from pipelines.stores.leases import LENGTH_S, Leases
from pipelines.stores.store import Store
from pipelines.triggers import deciding
from pipelines.triggers.confirming import by_hand_key
from pipelines.triggers.deciding import Going, Move
from pipelines.triggers.kept import change_trigger, read_trigger, trigger_names
from pipelines.triggers.lateness import overdue, running_long
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.launches import end, launches, reserve
from pipelines.triggers.reading import DataReader, HandedOver
from pipelines.triggers.running import (
    Carried,
    Launcher,
    actor_of,
    carry_out,
    close_killed,
    supersede,
)
from pipelines.triggers.settings import Trigger
from pipelines.triggers.slots import SlotWatch, take_slot
from pipelines.triggers.ticks import Tick, begun_only, note, read_ticks, tell_once

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
        on_late: Told with the name of the trigger what should have run and has not, or takes long,
            once each.
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
        on_late: Callable[[str, Tick], None] = lambda _name, _tick: None,
    ) -> None:
        self._on_late = on_late
        self._launcher = launcher
        self._hand_over = hand_over
        self._store = store
        self._at_once = at_once
        self._lease_s = lease_s
        self._clock = clock
        self._on_event = on_event
        self._leases = Leases(store, lease_s)
        self._slots = SlotWatch(self._leases, at_once)

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
            uid = ""
            try:
                trigger = read_trigger(self._store, each)
                uid = trigger.uid
                yield self._one(trigger, dry=dry)
            except UserError as error:
                yield Ticked(each, (self._failed(each, error, uid, dry=dry),), {}, error)

    def launch_now(self, trigger: Trigger, why: str, actor: str) -> tuple[str, Carried]:
        """Launch a trigger whatever its times and its data say.

        Returns:
            The run, and what became of it.

        Raises:
            UserError: Only whole folders are trained on, and none is.
        """
        now = self._clock()
        data = ""
        if trigger.watch and trigger.watch.settle == "folder":
            data = DataReader(self._store, trigger, now, keep=True, may_read=True).take_settled()
        return self._by_hand(trigger, Move("launch", why, by_hand_key(now), 1, data), actor)

    def try_again(self, trigger: Trigger, failed: Launch, actor: str) -> tuple[str, Carried]:
        """Try a launch again.

        Returns:
            The run, and what became of it.
        """
        latest = failed.latest
        number = latest.number + 1 if latest else 1
        snapshot = latest.snapshot if latest else ""
        again = Move("launch", actor, failed.key, number, snapshot)
        return self._by_hand(trigger, again, actor)

    def _by_hand(self, trigger: Trigger, decision: Move, actor: str) -> tuple[str, Carried]:
        """Carry out what a person asked for: it counts among launches, and waits for none."""
        slot = take_slot(self._leases, self._at_once, decision.key, 0.0)
        try:
            run, done = self._begin(trigger, decision, actor, patient=False)
        finally:
            if slot:
                slot.release()
        return run, done

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
        before = read_ticks(self._store, trigger.name)
        decisions, waits = deciding.decide_unfinished(
            trigger, known, self._held(trigger), now, begun_only(before)
        )
        last = before[-1].last if before else ""
        self._tell_late(trigger, known, waits, last, now, dry=dry)
        if pause := deciding.decide_pause(trigger, known):
            decisions.append(pause)
        elif not decisions:
            decisions += self._due(trigger, known, waits, now, dry=dry)
        rows: list[Tick] = []
        carried: dict[str, Carried] = {}
        for decision in decisions:
            row, done = self._act(trigger, known, decision, dry=dry)
            if not dry and done is None:  # of a launch it is noted when it begins and ends
                row = self._note(trigger, row)
            rows.append(row)
            if done:
                carried[row.run] = done
        return Ticked(trigger.name, tuple(rows), carried)

    def _failed(self, name: str, error: UserError, uid: str, *, dry: bool) -> Tick:
        row = Tick.of(self._clock(), "error", str(error))
        return row if dry else note(self._store, name, uid, row)

    def _tell_late(
        self,
        trigger: Trigger,
        known: Mapping[str, Launch],
        waits: Going | None,
        last: str,
        now: datetime,
        *,
        dry: bool,
    ) -> None:
        """Tell what is late or takes long, if it was not told before."""
        found = (overdue(trigger, known, waits, last, now), running_long(known, now))
        for row in found:
            if row and (dry or tell_once(self._store, trigger.name, row)):
                self._on_late(trigger.name, row)

    # what is due --------------------------------------------------------------------------------

    def _due(
        self,
        trigger: Trigger,
        known: Mapping[str, Launch],
        waits: Going | None,
        now: datetime,
        *,
        dry: bool,
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
            for one in known.values():
                if one.state(trigger.retries) in ("reserved", "running", "killed", "failed"):
                    supersede(self._store, trigger, one, decision.why, at)
            return row, None
        return self._launch(trigger, known, decision, row, actor)

    def _launch(
        self,
        trigger: Trigger,
        known: Mapping[str, Launch],
        decision: Move,
        row: Tick,
        actor: str,
    ) -> tuple[Tick, Carried | None]:
        """Launch, if fewer go on than are allowed at a time."""
        slot = None
        if not self._hand_over:
            patience_s = _PATIENCE * self._lease_s
            slot = take_slot(self._leases, self._at_once, decision.key, patience_s)
        elif self._slots.may_be_free():
            raise HandedOver
        if slot is None:
            why = f"{self._at_once} of {self._at_once} launches go on; {decision.why}"
            return replace(row, what="wait", why=why), None
        try:
            before = known.get(decision.key)
            if before and before.latest and before.latest.number < decision.number:
                close_killed(self._store, before.latest.run)
            run, done = self._begin(trigger, decision, actor, patient=before is not None)
        finally:
            slot.release()
        return _ended(row, run, done), done

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
            listing=decision.listing, whole=decision.whole,
        )  # fmt: skip
        done = carry_out(
            self._store, trigger, attempt, self._leases, now=self._clock,
            on_event=lambda event: self._on_event(trigger.name, event), launcher=self._launcher,
            # Whoever kills it leaves that it was begun.
            on_begin=lambda: self._note_begun(trigger, decision),
            on_end=lambda done: self._note_ended(trigger, decision, attempt.run, done),
            # Only time tells that a lease of another machine has ended.
            patience_s=_PATIENCE * self._lease_s if patient else 0.0,
        )  # fmt: skip
        return attempt.run, done

    def _note_begun(self, trigger: Trigger, decision: Move) -> None:
        self._note(trigger, self._row(decision))

    def _note_ended(self, trigger: Trigger, decision: Move, run: str, done: Carried) -> None:
        self._note(trigger, _ended(self._row(decision), run, done), of_last=True)

    def _note(self, trigger: Trigger, row: Tick, *, of_last: bool = False) -> Tick:
        return note(self._store, trigger.name, trigger.uid, row, of_last=of_last)


def _ended(row: Tick, run: str, done: Carried) -> Tick:
    """Return what is noted of a launch that was carried out."""
    return replace(
        row, run=run, why=f"{row.why}: {done.what}" + (f", {done.why}" if done.why else "")
    )
