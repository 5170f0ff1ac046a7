"""Triggers evaluated all the time, by a thread of a process that runs on.

A watch is looked at so often as it asks, a schedule each minute. The thread lists data and decides;
it reads no data and runs nothing. What is to be read or launched a ``slimline tick NAME`` does in a
session of its own, which goes on when this process ends. Any number of loops on any machines may
work on one store: each launch happens once, as with ticks.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from subprocess import Popen

from components.contract.errors import UserError
from pipelines.stores.store import Store
from pipelines.triggers.kept import list_triggers
from pipelines.triggers.noticing import notice_of_late, notices
from pipelines.triggers.notifying import Notice, notify, read_untold
from pipelines.triggers.settings import Trigger
from pipelines.triggers.spawning import begin_tick, ticks_folder
from pipelines.triggers.ticking import Ticker
from pipelines.triggers.ticks import Tick

_MINUTE_S = 60.0
_LIST_S = 15.0
"""So often triggers are listed, so that one that was added or changed elsewhere is met."""
_RETRY_S = 30.0
_JUMP_S = 300.0
"""A wall clock so far off the monotonic one was set: nothing is decided in that round."""

Begin = Callable[[str], Popen[bytes]]


@dataclass(frozen=True)
class LoopHealth:
    """How a loop does.

    Attributes:
        evaluated: When it last evaluated a trigger, ISO 8601; empty: not yet.
        next: When it does so next; empty where there is no trigger that is on.
        going: Triggers for which a process of this loop is at work.
        fault: Why the triggers cannot be listed or evaluated; empty while they can.
        untold: The latest notices that the command for them did not take, the oldest first, each
            with when and why; of all processes of this machine.
    """

    evaluated: str
    next: str
    going: tuple[str, ...]
    fault: str
    untold: tuple[str, ...]


class TriggerLoop:
    """Evaluates the triggers of a store in a thread, from ``start`` to ``stop``.

    Args:
        store: Where they are kept.
        at_once: So many launches may go on at a time, of all triggers together.
        notify: The words of the command that gets notices; empty: nobody is told.
        on_change: Called in the thread when anything was decided or a process has ended.
        begin: Begins a tick of a trigger in a session of its own; None: ``spawning.begin_tick``.
        clock: Now, with its time zone.
    """

    def __init__(
        self,
        store: Store,
        *,
        at_once: int = 1,
        notify: Sequence[str] = (),
        on_change: Callable[[], None] = lambda: None,
        begin: Begin | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._notify, self._on_change = store, tuple(notify), on_change
        self._clock = clock
        self._begin = begin or partial(self._own_process, at_once)
        self._ticker = Ticker(
            store, at_once=at_once, clock=clock, hand_over=self._hand_over, on_late=self._on_late
        )
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._due: dict[str, float] = {}
        self._every: dict[str, float | None] = {}
        self._signatures: dict[str, str] = {}
        self._listed = -_LIST_S
        self._going: dict[str, Popen[bytes]] = {}
        self._again: set[str] = set()
        self._evaluated: datetime | None = None
        self._faults: dict[str, str] = {}
        self._offset = self._clock_offset()

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="triggers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; processes that it has begun go on."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join()
        self._ticker.close()

    def wake(self, name: str | None = None) -> None:
        """Have a trigger evaluated now; None are all, those that were added meanwhile included."""
        with self._changed:
            self._listed = -_LIST_S
            for each in self._due if name is None else (name,):
                self._due[each] = 0.0
            self._changed.notify()

    def health(self) -> LoopHealth:
        """Say how it does."""
        with self._changed:
            due = min(self._due.values(), default=None)
            going = tuple(sorted(self._going))
            evaluated, fault = self._evaluated, "; ".join(self._faults.values())
        coming = ""
        if due is not None:
            wait_s = max(0.0, due - time.monotonic())
            coming = datetime.fromtimestamp(self._clock().timestamp() + wait_s, UTC).isoformat(
                timespec="seconds"
            )
        return LoopHealth(
            evaluated.astimezone(UTC).isoformat(timespec="seconds") if evaluated else "",
            coming,
            going,
            fault,
            read_untold(ticks_folder(self._store)),
        )

    # the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
            self._round()
            with self._changed:
                if not self._stopping:
                    self._changed.wait(self._pause_s())

    def _round(self) -> None:
        """Evaluate what is due; whatever fails, the next round comes."""
        offset = self._clock_offset()
        if abs(offset - self._offset) > _JUMP_S:
            self._offset = offset
            self._keep_fault("", "the clock of this machine was set; nothing is decided yet")
            self._postpone(_RETRY_S)
            return
        self._offset = offset
        fault = self._trying(self._list)
        self._keep_fault("", fault)
        if fault:  # the store; it may answer the next time
            self._postpone(_RETRY_S)
            return
        for name in self._take_due():
            wrong = self._trying(partial(self._evaluate, name))
            self._keep_fault(name, f"{name}: {wrong}" if wrong else "")

    def _keep_fault(self, name: str, fault: str) -> None:
        with self._changed:
            self._faults.pop(name, None)
            if fault:
                self._faults[name] = fault

    def _trying(self, do: Callable[[], None]) -> str:
        """Do something, and return why it failed; "" if it did not."""
        try:
            do()
        except (UserError, OSError) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 a bug of ours must not end a service's triggers
            traceback.print_exc()
            return f"{type(error).__name__}: {error}"
        return ""

    def _list(self) -> None:
        """Learn which triggers there are; those that are new or changed are due at once."""
        now = time.monotonic()
        if now - self._listed < _LIST_S:
            return
        whole, damaged = list_triggers(self._store)
        found = {one.name: repr(one) for one in whole if not one.paused}
        found |= {one.name: one.why for one in damaged}
        with self._changed:
            self._listed = now
            for name in self._due.keys() - found.keys():
                del self._due[name]
                self._faults.pop(name, None)
            for name, signature in found.items():
                if self._signatures.get(name) != signature:
                    self._due[name] = 0.0
            self._signatures = found
            self._every = {one.name: _every_s(one) for one in whole}

    def _take_due(self) -> list[str]:
        """Return whose time has come, and say when it comes next."""
        now, wall = time.monotonic(), self._clock().timestamp()
        with self._changed:
            due = sorted(name for name, at in self._due.items() if at <= now)
            for name in due:
                every = self._every.get(name)
                to_minute = _MINUTE_S - wall % _MINUTE_S
                self._due[name] = now + (every or to_minute)
        return due

    def _evaluate(self, name: str) -> None:
        for ticked in self._ticker.tick(name):
            with self._changed:
                self._evaluated = self._clock()
            for notice in notices(self._store, ticked) if self._notify else ():
                self._tell(notice)
            if any(row.count == 1 for row in ticked.rows):
                self._on_change()

    def _on_late(self, name: str, row: Tick) -> None:
        if self._notify:
            self._tell(notice_of_late(self._store, name, row))
        self._on_change()

    def _tell(self, notice: Notice) -> None:
        """Give a notice; what goes wrong stands in ``health``."""
        notify(self._notify, notice, ticks_folder(self._store))

    def _hand_over(self, name: str) -> None:
        """Begin a process for a trigger, unless one of this loop is at work already."""
        with self._changed:
            if name in self._going:
                self._again.add(name)
                return
            process = self._going[name] = self._begin(name)
        threading.Thread(target=self._wait, args=(name, process), daemon=True).start()
        self._on_change()

    def _own_process(self, at_once: int, name: str) -> Popen[bytes]:
        return begin_tick(self._store, name, at_once=at_once, notify=self._notify)

    def _wait(self, name: str, process: Popen[bytes]) -> None:
        process.wait()
        with self._changed:
            del self._going[name]
            if name in self._again:  # what came up while it was at work
                self._again.discard(name)
                if name in self._due:
                    self._due[name] = 0.0
            self._changed.notify()
        self._on_change()

    # times --------------------------------------------------------------------------------------

    def _postpone(self, by_s: float) -> None:
        until = time.monotonic() + by_s
        with self._changed:
            self._listed = until - _LIST_S
            self._due = {name: max(at, until) for name, at in self._due.items()}

    def _pause_s(self) -> float:
        coming = [self._listed + _LIST_S, *self._due.values()]
        return max(0.05, min(coming) - time.monotonic())

    def _clock_offset(self) -> float:
        return self._clock().timestamp() - time.monotonic()


def _every_s(trigger: Trigger) -> float | None:
    """Return how often a watch is looked at; None of a schedule, which is asked each minute."""
    return float(trigger.watch.every_s) if trigger.watch else None
