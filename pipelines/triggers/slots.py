"""How many launches go on at a time: each holds one of so many leases, of all triggers together."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pipelines.disk.identity import lives_here
from pipelines.stores.layout import launch_slot_key
from pipelines.stores.leases import Lease, Leases, Standing

_LOOK_S = 1.0


def take_slot(leases: Leases, at_once: int, run: str, patience_s: float) -> Lease | None:
    """Take the lease of one launch at a time; None while all are held.

    Only time tells whether a machine that holds one still lives. It is waited for that long, until
    one is free, or each has been seen renewed or is held by a process that lives on this machine.

    Args:
        leases: Of this process.
        at_once: How many there are.
        run: What it is for.
        patience_s: For how long at most; 0 does not wait.
    """
    keys = [launch_slot_key(number) for number in range(at_once)]
    until = time.monotonic() + patience_s
    first = leases.look(keys)
    while True:
        for key in keys:
            if lease := leases.take(key, {"run": run}):
                return lease
        now = leases.look(keys)
        if all(_lives(before, after) for before, after in zip(first, now, strict=True)):
            return None
        if time.monotonic() >= until:
            return None
        time.sleep(min(_LOOK_S, patience_s))


class SlotWatch:
    """Whether a launch could begin, for a process that begins others and looks again and again.

    Args:
        leases: Of this process.
        at_once: How many launches may go on at a time.
    """

    def __init__(self, leases: Leases, at_once: int) -> None:
        self._leases = leases
        self._keys = [launch_slot_key(number) for number in range(at_once)]
        self._before: Sequence[Standing] = ()

    def may_be_free(self) -> bool:
        """Whether one is free, or nobody can tell from here yet whether who holds it lives."""
        now = self._leases.look(self._keys)
        before, self._before = self._before or now, now
        return not all(_lives(one, other) for one, other in zip(before, now, strict=True))


def _lives(before: Standing, after: Standing) -> bool:
    """Whether whoever holds a lease is certainly there: here, or it renewed it meanwhile."""
    if after.free or after.holder is None:
        return False
    return before.holder != after.holder or lives_here(after.holder.process)
