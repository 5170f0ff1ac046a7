"""Explaining a run before it is launched: which steps would run, and why."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from components.artifacts.data_use import DataUse
from components.contract.errors import UserError
from components.contract.images import component_environment
from components.data.settings import CurationPlan
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.engines.kubeflow.ir import preflight
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.images.building import image_environment, step_environment
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import HOST, Graph, Step
from pipelines.runs.images_used import STEP, data_use_of, judges_in
from pipelines.runs.inputs import input_digests
from pipelines.runs.judging import Judges, expected_judges
from pipelines.runs.kept.devices_seen import last_fingerprints
from pipelines.runs.kept.kept_graphs import Place, places, read_graph
from pipelines.runs.keys import Change, Fingerprints, ingredients_of
from pipelines.runs.listing import listed_sources
from pipelines.runs.live.estimates import durations, makespan, usable_cores
from pipelines.runs.records import Problem, RunRecord, list_runs
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.runs.step_records import read_ingredients
from pipelines.runs.workspace import workspace_root
from pipelines.sources.snapshot import DATA, Snapshot
from pipelines.stores.layout import graph_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.launching.foreseeing import Foresight


@dataclass(frozen=True)
class Changed:
    """The step would run because of its own ingredients.

    Attributes:
        what: What differs from its last execution, such as ``parameters.epochs``; ``new`` when
            there was none, ``result lost`` when the store no longer has all of it.
    """

    what: tuple[Change, ...]


_UNDECIDED = frozenset({"cancelled", "killed", "skipped", "running", "waiting"})

NEW, LOST = Change("new"), Change("result lost")


@dataclass(frozen=True)
class Upstream:
    """The step would run because this other step would."""

    step: str


@dataclass(frozen=True)
class Explanation:
    """What would become of one step.

    Attributes:
        step: Its name.
        reason: Why it would run; None when its result is there.
        use: What became of the images; None but of ingest, when its result is there.
        warning: That too few images judge to prove the drop asked for; empty but of ingest.
    """

    step: str
    reason: Changed | Upstream | None
    use: DataUse | None = None
    warning: str = ""


def explain(
    config: Config, *, store: str | None = None, problems: list[Problem] | None = None
) -> list[Explanation]:
    """Say for every step whether its result is there, and why not.

    Devices are not asked: each counts as it was when it was seen last.

    Args:
        config: What would run.
        store: Address of the store, instead of the configured one.
        problems: Takes the damaged records and graphs of earlier runs, which were passed over.

    Raises:
        UserError: Something that the user gave cannot be used.
    """
    opened = open_store(store or config.store)
    cache = Cache(opened, workspace_root(opened))
    graph = graph_of(config)
    sources = listed_sources(graph, read_exclusions(opened))
    earlier = _Earlier(opened, graph, [] if problems is None else problems)
    devices = last_fingerprints(opened, {step.device for step in graph.steps if step.device})
    outputs: dict[str, Mapping[str, str]] = {}
    explained: list[Explanation] = []
    for step in graph.ordered:
        missing = next((ref.step for ref in step.refs if ref.step not in outputs), None)
        if missing:
            explained.append(Explanation(step.name, Upstream(missing)))
            continue
        if step.device not in (None, HOST, *devices):
            explained.append(Explanation(step.name, Changed((NEW,))))  # it was never seen
            continue
        inputs = input_digests(step, outputs, sources)
        ingredients = ingredients_of(step, inputs, _environment(step), devices)
        # A report that turns out to be damaged is in quarantine now: its step would run again.
        with contextlib.suppress(CorruptionError):
            if result := cache.lookup(ingredients.key, renew=False):
                use = _use(cache, step.name, result.outputs)
                outputs[step.name] = result.outputs
                judges = judges_in(cache, result.outputs) if step.name == STEP else None
                explained.append(Explanation(step.name, None, use, _too_few(judges, config)))
                continue
        last = earlier.ingredients(step.name)
        what = (NEW,) if last is None else ingredients.changed_since(last)
        judges = _expected(step, sources[DATA]) if step.name == STEP else None
        reason = Changed(what or (LOST,))
        explained.append(Explanation(step.name, reason, None, _too_few(judges, config)))
    return explained


def explain_cluster(
    config: Config,
    version: ServerVersion | None,
    *,
    store: str | None = None,
    problems: list[Problem] | None = None,
) -> tuple[list[Explanation], Foresight]:
    """Say for every step whether a run on Kubeflow would carry it out, and why.

    Args:
        config: What would run.
        version: Of the server; None where it is not known.
        store: See ``explain``.
        problems: See there.

    Returns:
        The same as ``explain``, and in how many parts the steps would run.

    Raises:
        UserError: Something that the user gave cannot be used, or the bucket cannot be reached.
    """
    opened = open_store(store or config.store)
    cache = Cache(opened, workspace_root(opened))
    graph = graph_of(config)
    sources = listed_sources(graph, read_exclusions(opened))
    digests = {name: source.digest for name, source in sources.items()}
    devices = last_fingerprints(
        opened, {step.device or "" for step in graph.steps if step.elsewhere}
    )
    reachable = replace(preflight.check(config, graph), devices=devices)
    from pipelines.engines.kubeflow.launching.foreseeing import (
        foresee,  # loads the clients of buckets
    )

    foreseen = foresee(reachable, digests, cache, version)
    earlier = _Earlier(opened, graph, [] if problems is None else problems)
    plan, missing = foreseen.plan, set(foreseen.missing)
    explained: list[Explanation] = []
    for step in graph.ordered:
        if step.name not in missing:
            outputs = plan.known[step.name].outputs
            explained.append(Explanation(step.name, None, _use(cache, step.name, outputs)))
            continue
        waits = [r.step for r in step.refs if r.step in missing and r.step not in plan.lost]
        if step.name in plan.lost:
            reason: Changed | Upstream = Changed((LOST,))
        elif waits:
            reason = Upstream(waits[0])
        else:
            reason = Changed(_changed(step, plan, sources, earlier, devices))
        explained.append(Explanation(step.name, reason))
    return explained, foreseen


def _changed(
    step: Step,
    plan: ReusePlan,
    sources: Mapping[str, Snapshot],
    earlier: _Earlier,
    devices: Fingerprints,
) -> tuple[Change, ...]:
    """Return what differs from the last execution of a step whose inputs are known."""
    last = earlier.ingredients(step.name)
    if last is None or (step.elsewhere and step.device not in devices):
        return (NEW,)
    results = {**plan.lost, **plan.known}
    outputs = {ref.step: results[ref.step].outputs for ref in step.refs}
    environment = step_environment(step.component, image_environment(step.image))
    inputs = input_digests(step, outputs, sources)
    now = ingredients_of(step, inputs, environment, devices).changed_since(last)
    # Which node measures nobody knows before; this machine does not.
    told = (change for change in now if step.elsewhere or change.what != "device")
    return tuple(told) or (LOST,)


def estimate(
    config: Config, explained: Iterable[Explanation], *, store: str | None = None
) -> float | None:
    """Return in how many seconds the steps that would run are done on this machine.

    None where earlier runs of the store do not tell it of every step.

    Args:
        config: What would run.
        explained: What ``explain`` says of it.
        store: Address of the store, instead of the configured one.
    """
    graph = graph_of(config)
    took = durations(open_store(store or config.store), graph)
    would_run = [item.step for item in explained if item.reason]
    if not all(step in took for step in would_run):
        return None
    return makespan(graph, {step: took[step] for step in would_run}, (), usable_cores())


def _environment(step: Step) -> str:
    """Return the environment digest of a step; where no GPU is at hand, that of its image.

    Raises:
        UserError: A package that it needs is not installed.
    """
    try:
        return component_environment(step.component, step.image)
    except UserError:
        if not step.gpu:
            raise
        return step_environment(step.component, image_environment(step.image))


def _expected(step: Step, data: Snapshot) -> Judges | None:
    plan = cast("CurationPlan", step.interface.arguments(dict(step.parameters))["curation"])
    return expected_judges([file.name for file in data.files], data.format, plan)


def _too_few(judges: Judges | None, config: Config) -> str:
    budgets = config.budgets
    return judges.too_few(budgets.metric, budgets.drop, config.confidence) if judges else ""


def _use(cache: Cache, step: str, outputs: Mapping[str, str]) -> DataUse | None:
    return data_use_of(cache, outputs) if step == STEP else None


class _Earlier:
    """Earlier runs of a configuration, newest first, whose steps are found by their place.

    Args:
        store: Where their records lie.
        graph: What would run now.
        problems: Takes what is damaged; it explains nothing and hides none of the others.
    """

    def __init__(self, store: Store, graph: Graph, problems: list[Problem]) -> None:
        self._store = store
        self._problems = problems
        self._places = places(graph)
        self._graphs: dict[str, Mapping[str, frozenset[Place]] | None] = {}
        self._runs = [one for one in reversed(list_runs(store, problems)) if one.name == graph.name]

    def ingredients(self, step: str) -> Mapping[str, object] | None:
        """Find what the newest execution of a step was made of."""
        for record in self._runs:
            before = record.steps.get(self._name(step, self._places_in(record)), {})
            key = before.get("record")
            if not key or before.get("state") in _UNDECIDED:  # its ingredients made nothing
                continue
            with self._passing_over(key):
                if found := read_ingredients(self._store, key):
                    return found
        return None

    def _places_in(self, record: RunRecord) -> Mapping[str, frozenset[Place]] | None:
        """Return the places of the steps of a run, where its graph was kept."""
        wanted = record.graph_digest
        if wanted not in self._graphs:
            self._graphs[wanted] = None
            with self._passing_over(graph_key(wanted)):
                kept = read_graph(self._store, wanted, record.name)
                self._graphs[wanted] = places(kept) if kept else None
        return self._graphs[wanted]

    @contextlib.contextmanager
    def _passing_over(self, key: str) -> Generator[None]:
        try:
            yield
        except UserError as error:
            if all(problem.key != key for problem in self._problems):
                self._problems.append(Problem(key, error.what, error.fix))

    def _name(self, step: str, then: Mapping[str, frozenset[Place]] | None) -> str:
        """Return what a step was called in a run: the one at most of its places, or of its name."""
        here = self._places.get(step)
        if not here or not then:
            return step
        common = {name: len(here & at) for name, at in then.items()}
        best = max(common, key=lambda name: (common[name], name == step))
        return best if common[best] else step
