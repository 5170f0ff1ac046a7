"""How long steps will take: what the same steps took in earlier runs of a store."""

from __future__ import annotations

import heapq
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from statistics import median

from components.contract.errors import UserError
from pipelines.runs.graph import Graph, Step
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import RUNS
from pipelines.stores.store import Store

_KEYS_MAX = 20_000  # that are listed: a bucket gives a thousand at a time
_RUNS_MAX = 12
_RUN = re.compile(rf"{RUNS}(?P<run>.+-(?P<moment>\d{{8}}-\d{{6}})-[0-9a-f]+)/run\.json")


def durations(store: Store, graph: Graph) -> dict[str, float]:
    """Return how many seconds each step of a graph will take, where earlier runs tell.

    The same step of the newest runs of this name counts; else what its component took in the
    newest runs of the store.
    """
    own = _newest(store, f"{RUNS}{graph.name}-")
    by_step = _took(own, by="step")
    found = {step.name: by_step[step.name] for step in graph.steps if step.name in by_step}
    if len(found) < len(graph.steps):
        by_component = _took([*own, *_newest(store, RUNS)], by="component")
        for step in graph.steps:
            if step.name not in found and step.component in by_component:
                found[step.name] = by_component[step.component]
    return found


def has_runs(store: Store, name: str) -> bool:
    """Whether any run of this name has ended, whatever became of it."""
    keys = (_RUN.fullmatch(key) for key in islice(store.list(f"{RUNS}{name}-"), _KEYS_MAX))
    return any(found["run"].startswith(f"{name}-{found['moment']}-") for found in keys if found)


def _newest(store: Store, prefix: str) -> list[RunRecord]:
    keys = (_RUN.fullmatch(key) for key in islice(store.list(prefix), _KEYS_MAX))
    runs = sorted((found["moment"], found["run"]) for found in keys if found)[-_RUNS_MAX:]
    records: list[RunRecord] = []
    for _, run in runs:
        try:
            records.append(read_run(store, run))
        except UserError:  # damaged: it tells nothing here, and ``slimline runs`` names it
            continue
    return records


def _took(records: Iterable[RunRecord], *, by: str) -> dict[str, float]:
    """Return the median seconds of executions by step or by component."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, step in record.steps.items():
            wall_s, waited_s = step.get("wall_s"), step.get("waited_s", 0.0)
            key = name if by == "step" else step.get(by)
            if (
                step["state"] == "done"
                and isinstance(key, str)
                and isinstance(wall_s, int | float)
                and isinstance(waited_s, int | float)
            ):
                seen[key].append(max(0.0, float(wall_s - waited_s)))
    return {key: median(values) for key, values in seen.items()}


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def makespan(
    graph: Graph, left_s: Mapping[str, float], running: Iterable[str], cores: int
) -> float:
    """Return in how many seconds all steps are done, on a machine that has nothing else to do.

    Args:
        graph: The steps.
        left_s: What each unfinished step still takes; those not named are done.
        running: Which of them run already.
        cores: Of the machine.
    """
    ahead = set(running)
    waiting = [step for step in graph.ordered if step.name in left_s]
    # What measures time starts last, since it stops everything else.
    waiting.sort(key=lambda step: (step.name not in ahead, step.alone))
    active: list[tuple[float, str]] = []
    now_s, undone = 0.0, set(left_s)
    while waiting or active:
        busy = [graph.by_name[name] for _, name in active]
        for step in tuple(waiting):
            if all(ref.step not in undone for ref in step.refs) and _fits(step, busy, cores):
                waiting.remove(step)
                busy.append(step)
                heapq.heappush(active, (now_s + left_s[step.name], step.name))
        if not active:  # a step waits for one that is not named, and yet not done
            break
        now_s, done = heapq.heappop(active)
        undone.discard(done)
    return now_s


def left_s(
    graph: Graph,
    ended: Collection[str],
    running_s: Mapping[str, float],
    own_left_s: Mapping[str, float],
    expected_s: Mapping[str, float],
    cores: int,
) -> float | None:
    """Return how long a run still takes; None where it is not known of every step.

    Args:
        graph: Its steps.
        ended: Names of those that have ended.
        running_s: How long those run that do.
        own_left_s: What some of these say themselves how long they still take.
        expected_s: What each takes as a whole, by earlier runs: see ``durations``.
        cores: Of the machine.
    """
    rest: dict[str, float] = {}
    for step in graph.steps:
        name = step.name
        if name in ended:
            continue
        if name in own_left_s:
            rest[name] = max(0.0, own_left_s[name])
        elif name in expected_s:
            rest[name] = max(0.0, expected_s[name] - running_s.get(name, 0.0))
        else:
            return None
    return makespan(graph, rest, running_s.keys() - set(ended), cores)


def _fits(step: Step, busy: list[Step], cores: int) -> bool:
    if not busy:
        return True
    if step.alone or any(one.alone for one in busy):
        return False
    if step.elsewhere and any(one.occupies == step.occupies for one in busy):
        return False
    return sum(one.threads for one in busy) + step.threads <= cores
