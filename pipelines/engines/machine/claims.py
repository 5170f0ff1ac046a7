"""Claims: engines on one store run a step once, one of them, and the others take its result.

An engine takes the lease ``claims/<step key>.json`` when it has room for a step, and then looks
once more whether the result is there. It gives the lease back when the result is. Who finds the
lease taken waits here, without a core or memory, and looks: at a result, which it takes; at a lease
that was given back without one (the step failed, or was cancelled) or has ended, and it runs the
step itself.

An engine that lost its lease, because it was stopped for longer than that, publishes nothing before
it has the lease again: by then another one's result is there, and counts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pipelines.runs.cache import Cache
from pipelines.runs.graph import Step
from pipelines.runs.keys import Ingredients
from pipelines.runs.results import CachedResult
from pipelines.stores.layout import CLAIMS, claim_key
from pipelines.stores.leases import Holder, Lease, Leases

_FIRST_LOOK_S, _SLOWER, _LATEST_LOOK_S = 0.05, 1.3, 1.0


@dataclass(frozen=True)
class Elsewhere:
    """A step that another engine runs.

    Attributes:
        step: Which step.
        ingredients: What its key is made of.
        since: Since when this engine waits, in monotonic seconds.
    """

    step: Step
    ingredients: Ingredients
    since: float


@dataclass(frozen=True)
class Settled:
    """What became of a step that another engine ran.

    Attributes:
        waited: The step.
        result: Its result, or None if this engine has to run it.
    """

    waited: Elsewhere
    result: CachedResult | None


class Claims:
    """The claims of one engine during one run.

    Args:
        cache: Where results are, and claims beside them.
        engine: Name of the engine.
        run: Identifier of its run.
        lease_s: How long a lease may stand still before another engine takes it over.
    """

    def __init__(self, cache: Cache, engine: str, run: str, lease_s: float) -> None:
        self._cache = cache
        self._about = {"engine": engine, "run": run}
        self._leases = Leases(cache.store, lease_s)
        self._elsewhere: dict[str, Elsewhere] = {}
        self._told: dict[str, str] = {}
        self._pause_s = _FIRST_LOOK_S
        self._leases.sweep(CLAIMS)

    def take(self, step: Step, key: str) -> Lease | None:
        """Claim a step; None if another engine runs it. Called from any thread."""
        return self._leases.take(claim_key(key), {**self._about, "step": step.name})

    def wait_for(self, step: Step, ingredients: Ingredients) -> None:
        """Wait for a step that another engine runs."""
        self._elsewhere[step.name] = Elsewhere(step, ingredients, time.monotonic())
        self._pause_s = _FIRST_LOOK_S

    @property
    def pause_s(self) -> float | None:
        """How long to do something else before the next look; None if nothing is waited for."""
        return self._pause_s if self._elsewhere else None

    def look(self) -> tuple[list[Settled], dict[str, str]]:
        """Return what is waited for no more, and for whom the others wait, by step, if it is new.

        Raises:
            UserError: The store fails.
        """
        names = tuple(self._elsewhere)
        keys = [claim_key(self._elsewhere[name].ingredients.key) for name in names]
        settled: list[Settled] = []
        new: dict[str, str] = {}
        for name, standing in zip(names, self._leases.look(keys), strict=True):
            if standing.free:
                waited = self._elsewhere.pop(name)
                self._told.pop(name, None)
                settled.append(Settled(waited, self._cache.lookup(waited.ingredients.key)))
                continue
            text = _named(standing.holder)
            if self._told.get(name) != text:
                self._told[name] = new[name] = text
        self._pause_s = min(self._pause_s * _SLOWER, _LATEST_LOOK_S)
        return settled, new

    def give_up(self) -> None:
        """Wait for nothing any more."""
        self._elsewhere.clear()

    def close(self) -> None:
        """Stop renewing."""
        self._leases.close()


def publish(
    cache: Cache, lease: Lease, result: CachedResult, cancelled: threading.Event
) -> CachedResult | None:
    """Make a result the answer for its key if the claim on its step is still this engine's.

    Args:
        cache: Where to.
        lease: The claim.
        result: What this engine found.
        cancelled: Ends the wait for another engine, which took the claim over.

    Returns:
        The result that counts: another engine's where that came first; None when cancelled.
    """
    while not lease.regain():
        if found := cache.lookup(result.key):
            return found
        if cancelled.wait(_FIRST_LOOK_S):
            return None
    return cache.commit(result)


def _named(holder: Holder | None) -> str:
    if holder is None:
        return "an engine whose claim cannot be read"
    about = holder.about
    return (
        f"engine {about.get('engine', '?')} on host {holder.process.host}, which runs this step "
        f"(run {about.get('run', '?')}, process {holder.process.pid})"
    )
