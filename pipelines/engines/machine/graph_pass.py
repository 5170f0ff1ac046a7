"""One pass over a graph: every step looked up, started where there is room, and followed."""

from __future__ import annotations

import json
import math
import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter

from components.contract.errors import UserError
from components.contract.progress import ProgressReader
from components.contract.tree import SINGLE
from pipelines.engines.machine.admission import Admission, by_urgency
from pipelines.engines.machine.claims import Claims
from pipelines.engines.machine.execution import Context, execute_step
from pipelines.engines.machine.runner import progress_file
from pipelines.engines.machine.skipping import CANCELLATION, put_skipped
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import Graph, Step
from pipelines.runs.inputs import input_digests
from pipelines.runs.keys import Ingredients, ingredients_of
from pipelines.runs.live.events import (
    StepDone,
    StepEvent,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from pipelines.runs.results import CachedResult

_LOOK_S = 1.0  # between two looks at what the running steps tell


@dataclass(frozen=True)
class _ElsewhereFound:
    """Another engine runs a step that was to start."""

    step: str
    ingredients: Ingredients


_Ending = StepDone | StepFailed | StepSkipped | _ElsewhereFound | tuple[str, BaseException]
_Message = StepWaiting | StepStarted | _Ending


class Pass:
    """One pass over the graph.

    Args:
        context: The run.
        graph: Its steps.
        claims: This engine's claims on them.
        remeasure: Measure again what was disturbed the last time.

    Attributes:
        broken: What ended the pass before its time: bytes in the store that another one repairs.
    """

    def __init__(self, context: Context, graph: Graph, claims: Claims, *, remeasure: bool) -> None:
        self._context = context
        self._claims = claims
        self._remeasure = remeasure
        self._graph = graph
        self._height = _heights(graph)
        self._sorter = TopologicalSorter(
            {step.name: {ref.step for ref in step.refs} for step in graph.ordered}
        )
        self._sorter.prepare()
        self._admission = Admission()
        self._waiting: dict[str, tuple[Step, Ingredients]] = {}
        self._running: set[str] = set()
        self._done: dict[str, StepDone] = {}
        self._failed: set[str] = set()
        self._skipped: dict[str, StepSkipped] = {}
        self._obstacles: dict[str, str] = {}
        self._readers: dict[str, ProgressReader] = {}
        self._looked = -math.inf
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self.broken: CorruptionError | None = None

    def events(self) -> Iterator[StepEvent]:
        """Yield what happens until nothing runs and nothing more can start."""
        with ThreadPoolExecutor(max_workers=self._admission.cores + 1 + self._others) as pool:
            while True:
                yield from self._settle()
                yield from self._start(pool)
                if not self._running and self._claims.pause_s is None:
                    break
                yield from self._told()
                try:
                    message = self._messages.get(timeout=self._claims.pause_s or _LOOK_S)
                except queue.Empty:
                    yield from self._look_elsewhere()
                    continue
                if isinstance(message, StepStarted):
                    path = progress_file(self._context.work, message.step)
                    self._readers[message.step] = ProgressReader(path)
                elif not isinstance(message, StepWaiting):
                    self._take(message)
                if not isinstance(message, tuple | StepSkipped | _ElsewhereFound):
                    yield message
        if self.broken is None:
            yield from self._rest()

    def _rest(self) -> Iterator[StepSkipped]:
        """Yield the steps without a result, each with a record that says why."""
        failed = " and ".join(sorted(self._failed))
        because = f"{failed} failed" if failed else CANCELLATION
        left = [
            step
            for step in self._graph.ordered
            if step.name not in self._failed and step.name not in self._done
        ]
        one = self._context
        steps = [step for step in left if step.name not in self._skipped]
        records = put_skipped(
            one.cache.store, one.run, one.runner.name, steps, one.attempts, because
        )
        for step in left:
            cancelled = self._skipped.get(step.name)
            yield cancelled or StepSkipped(step.name, because, record=records[step.name])

    def _start(self, pool: ThreadPoolExecutor) -> Iterator[StepWaiting]:
        """Start what fits beside what runs, the most urgent first; say what does not, and why."""
        if self._stopping:
            return
        for step in by_urgency((step for step, _ in self._waiting.values()), self._height):
            if step.occupies in self._lost:
                del self._waiting[step.name]  # told with the rest, when all else has ended
                continue
            if self._admission.enter(step):
                self._running.add(step.name)
                pool.submit(self._execute, *self._waiting.pop(step.name))
                continue
            obstacle = self._admission.obstacle(step)
            if self._obstacles.get(step.name) != obstacle:
                self._obstacles[step.name] = obstacle
                yield StepWaiting(step.name, obstacle, outside=False)

    def _told(self) -> Iterator[StepProgress]:
        """Yield how far the running steps are, if that is new."""
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        for name, reader in self._readers.items():
            if reader.look() and reader.latest:
                yield StepProgress(name, reader.latest, reader.per_second, reader.left_s)

    def _look_elsewhere(self) -> Iterator[StepEvent]:
        """See what became of the steps that other engines run."""
        if self._claims.pause_s is None:
            return
        if self._stopping:
            self._claims.give_up()
            return
        settled, new = self._claims.look()
        for name, what in new.items():
            yield StepWaiting(name, what)
        for one in settled:
            step = one.waited.step
            if one.result is None:
                self._waiting[step.name] = (step, one.waited.ingredients)
                continue
            waited_s = time.monotonic() - one.waited.since
            self._done[step.name] = _taken(step, one.result, waited_s)
            self._sorter.done(step.name)
            yield self._done[step.name]

    def _take(self, message: _Ending) -> None:
        """Note how a step ended.

        Raises:
            BaseException: What its thread raised, if that is not corruption.
        """
        name = message[0] if isinstance(message, tuple) else message.step
        if isinstance(message, _ElsewhereFound):
            step = self._graph.by_name[name]
            self._claims.wait_for(step, message.ingredients)
        self._running.remove(name)
        self._admission.leave(name)
        self._readers.pop(name, None)
        if isinstance(message, StepDone):
            self._done[name] = message
            self._sorter.done(name)
        elif isinstance(message, StepFailed):
            self._failed.add(name)
        elif isinstance(message, StepSkipped):
            if message.cancelled:
                self._skipped[name] = message
        elif isinstance(message, tuple):
            if not isinstance(message[1], CorruptionError):
                self._context.runner.cancel()  # the store or the disk is at fault: nothing can stay
                raise message[1]
            self.broken = message[1]

    @property
    def _others(self) -> int:
        """How many devices there are on which a step runs without a core of this machine."""
        return len({step.occupies for step in self._graph.steps if step.elsewhere})

    @property
    def _stopping(self) -> bool:
        """Whether nothing more is to start; a device that went away stops its own steps alone."""
        here = any(not self._graph.by_name[name].elsewhere for name in self._failed)
        return bool(here or self.broken or self._context.cancelled.is_set())

    @property
    def _lost(self) -> set[str | None]:
        """The devices on which a step failed: they are not tried again in this run."""
        steps = (self._graph.by_name[name] for name in self._failed)
        return {step.occupies for step in steps if step.elsewhere}

    def _settle(self) -> Iterator[StepEvent]:
        """Look up every step whose inputs are known; what is missing goes to ``_waiting``."""
        runner, cache = self._context.runner, self._context.cache
        while not self._stopping and self._sorter.is_active():
            ready = self._sorter.get_ready()
            for name in ready:
                step = self._graph.by_name[name]
                outputs = {ref.step: self._done[ref.step].outputs for ref in step.refs}
                inputs = input_digests(step, outputs, self._context.sources)
                ingredients = ingredients_of(
                    step, inputs, runner.environment(step), self._context.devices
                )
                result = cache.lookup(ingredients.key)
                if result and self._remeasure and _is_disturbed(cache, step, result):
                    cache.forget(result.key)
                    result = None
                if result is None:
                    self._check_gpu(step)
                    self._waiting[name] = (step, ingredients)
                    continue
                self._done[name] = _taken(step, result, 0.0)
                self._sorter.done(name)
                yield self._done[name]
            if not ready:
                return

    def _check_gpu(self, step: Step) -> None:
        """Give up before anything is computed for a step that can never start here.

        Raises:
            UserError: It wants a GPU, and this machine has none.
        """
        try:
            self._admission.gpus_for(step)
        except UserError:
            self._context.runner.cancel()
            raise

    def _execute(self, step: Step, ingredients: Ingredients) -> None:
        """Execute one step in a thread of the pool; every way it can end becomes a message."""
        try:
            message = self._execute_claimed(step, ingredients)
        except BaseException as error:  # noqa: BLE001 raised again by the thread that schedules
            message = (step.name, error)
        self._messages.put(message)

    def _execute_claimed(self, step: Step, ingredients: Ingredients) -> _Message:
        lease = self._claims.take(step, ingredients.key)
        if lease is None:
            return _ElsewhereFound(step.name, ingredients)
        try:
            # Another engine may have given its claim back since this one looked.
            if found := self._context.cache.lookup(ingredients.key):
                return _taken(step, found, 0.0)
            gpus = self._admission.gpus_for(step)
            return execute_step(self._context, step, ingredients, lease, self._messages.put, gpus)
        finally:
            lease.release()


def _taken(step: Step, result: CachedResult, wall_s: float) -> StepDone:
    """Return how a step ended whose result was there, or came from another engine."""
    return StepDone(
        step.name, result.key, result.outputs, result.record,
        cached=True, function_s=result.function_s, wall_s=wall_s,
    )  # fmt: skip


def _is_disturbed(cache: Cache, step: Step, result: CachedResult) -> bool:
    """Whether a measurement says of itself that something disturbed it, or says nothing more."""
    if step.occupies is None:
        return False
    try:
        metrics = json.loads(cache.read_file(result.outputs["metrics"], SINGLE))
    except CorruptionError:
        return True
    return metrics.get("disturbed") == 1


def _heights(graph: Graph) -> dict[str, int]:
    """Return for every step the number of steps on the longest way to the graph's end."""
    height = dict.fromkeys(graph.by_name, 0)
    for step in reversed(graph.ordered):
        for ref in step.refs:
            height[ref.step] = max(height[ref.step], height[step.name] + 1)
    return height
