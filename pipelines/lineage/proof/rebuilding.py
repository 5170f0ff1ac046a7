"""Rebuilding: the steps of a lineage run again in a store of their own, compared byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.folders import remove_tree
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.local import LocalRunner
from pipelines.engines.machine.runner import Runner
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.lineage.proof.chain import Asked, Extent, steps_of
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import FaultFound, RebuiltStep
from pipelines.lineage.proof.runs import read_run_record, run_link
from pipelines.lineage.proof.walk import RunSteps
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import Graph, SourceRef, Step
from pipelines.runs.keys import Fingerprints, InputDigest, ingredients_of
from pipelines.runs.live.events import StepDone, StepEvent, StepFailed, StepSkipped
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import ExecutionRecord, read_record
from pipelines.runs.workspace import workspace_root
from pipelines.sources.snapshot import Snapshot, snapshot_of
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import Store

_NAMED = 3


def rebuild(
    store: Store,
    asked: Asked,
    extent: Extent,
    on_step: Callable[[RebuiltStep], None],
    runner: Runner | None = None,
) -> list[RebuiltStep]:
    """Run the steps of a lineage again on this machine, and compare what they make.

    Measurements are taken over, as the steps after them choose by them. What is done stays in a
    store of its own on this machine until all of it is: a rebuild that was interrupted goes on.

    Args:
        store: Of the run; it is only read.
        asked: Where the lineage begins.
        extent: Where the user's files are now, if not where they were.
        on_step: Told of each step as soon as it is compared.
        runner: Executes the steps; None: as the local engine does.

    Returns:
        Every step of the lineage, in the order in which they ended.

    Raises:
        UserError: The run keeps no graph, its files are not what they were, or a package that the
            steps need is not installed.
    """
    steps, names = _steps(store, asked)
    graph = _graph(steps, names)
    sources = _sources(steps, graph, extent)
    place = place_of(store, asked.run)
    scratch = DirectoryStore(place)
    done: list[RebuiltStep] = []

    def told(step: RebuiltStep) -> None:
        done.append(step)
        on_step(step)

    with scratch_folder(workspace_root(scratch), f"{asked.run[:100]}-again") as work:
        comparison = _Comparison(Cache(store, work), Cache(scratch, work), steps, graph)
        used = runner or LocalRunner()
        # Nothing is measured again, so it does not matter how devices are now.
        devices: Fingerprints = {step.device: {} for step in graph.steps if step.device}
        for name in comparison.take_over_measurements(used, devices):
            told(RebuiltStep(name, "left out", "a measurement; what was recorded is taken over"))
        engine = Scheduler(used, Cache(scratch, work), work, devices=devices)
        for event in engine.submit(graph, sources, f"{asked.run}-again"):
            if found := comparison.of(event):
                told(found)
                if found.state == "different":
                    engine.cancel()  # what follows would be made of other inputs
    remove_tree(place)
    return done


def _steps(store: Store, asked: Asked) -> tuple[RunSteps, list[str]]:
    """Return the run's steps, and those that are to be rebuilt.

    Raises:
        UserError: The run cannot be read, or keeps no graph.
    """
    evidence = Evidence(store)
    try:
        record = read_run_record(evidence, asked.run, asked.called)
    except FaultFound as found:
        raise UserError(str(found), f"slimline verify {asked.run}") from found
    _, steps = run_link(evidence, record)
    if steps.graph is None:
        raise UserError(
            f"run {asked.run} cannot be rebuilt: the store holds no graph of it",
            "runs of this version keep it: slimline run CONFIG",
        )
    return steps, steps_of(evidence, steps, asked)


def _graph(steps: RunSteps, names: list[str]) -> Graph:
    """Return the graph of these steps, with the parameters that components have got since."""
    assert steps.graph
    kept = [_completed(step) for step in steps.graph.steps if step.name in names]
    return Graph(steps.graph.name, tuple(kept), {})


def _completed(step: Step) -> Step:
    """Return a step with the parameters that its component has got since, at their defaults.

    Raises:
        UserError: It has a parameter that there is none of any more, or lacks one.
    """
    known = {parameter.name: parameter for parameter in step.interface.parameters}
    odd = sorted(step.parameters.keys() - known.keys())
    odd += [name for name, item in known.items() if item.required and name not in step.parameters]
    if odd:
        raise UserError(
            f"step {step.name} cannot be run again: {step.component} of this version of slimline "
            f"has other parameters ({', '.join(odd)})",
            "install the version of slimline that ran it: the code that its record names",
        )
    defaults = {name: item.default for name, item in known.items()}
    return replace(step, parameters=defaults | dict(step.parameters))


def _sources(steps: RunSteps, graph: Graph, extent: Extent) -> dict[str, Snapshot]:
    """Return the user's files, which are as the run read them.

    Raises:
        UserError: They are not, or nobody knows where they are.
    """
    used = {
        flow.name
        for step in graph.steps
        for flow in step.inputs.values()
        if isinstance(flow, SourceRef)
    }
    found: dict[str, Snapshot] = {}
    for name in sorted(used):
        place = extent.places.get(name, steps.record.places.get(name))
        fix = f"--source {name}=PLACE names a copy of the files as they were"
        if place is None:
            raise UserError(f"run {steps.record.run} does not say where its {name} lay", fix)
        found[name] = snapshot_of(name, place)
        if found[name].digest != steps.record.sources[name]:
            raise UserError(
                f"{name}: the files at {place} are not those that run {steps.record.run} read",
                fix,
            )
    return found


class _Comparison:
    """Holds what is made again against what the run made.

    Args:
        recorded: The store of the run.
        scratch: The store of what is made again.
        steps: Of the run.
        graph: What is run again.
    """

    def __init__(self, recorded: Cache, scratch: Cache, steps: RunSteps, graph: Graph) -> None:
        self._recorded = recorded
        self._scratch = scratch
        self._steps = steps
        self._graph = graph
        self._left_out: set[str] = set()

    def take_over_measurements(self, runner: Runner, devices: Fingerprints) -> Iterator[str]:
        """Put the results of measurements where the scheduler finds them, and name them."""
        for step in self._graph.steps:
            if step.occupies is None:
                continue
            inputs: Mapping[str, InputDigest] | None = self._steps.expected_inputs(step.name)
            if inputs is None:
                continue
            key = ingredients_of(step, inputs, runner.environment(step), devices).key
            outputs = self._steps.outputs(step.name)
            for tree in outputs.values():
                self._copy(tree)
            record = str(self._steps.record.steps[step.name].get("record"))
            self._scratch.commit(CachedResult(key, dict(outputs), record, 0.0))
            self._left_out.add(step.name)
            yield step.name

    def _copy(self, tree: str) -> None:
        try:
            entries = self._recorded.tree(tree).entries
            for entry in entries:
                data = self._recorded.read_file(tree, entry.path)
                self._scratch.store.put_if_absent(blob_key(entry.sha256), data)
        except (CorruptionError, KeyError) as error:
            raise UserError(
                f"a measurement of run {self._steps.record.run} cannot be taken over: {error}",
                f"slimline verify {self._steps.record.run}",
            ) from error
        key = tree_key(tree)
        self._scratch.store.put_if_absent(key, self._recorded.store.get(key))

    def of(self, event: StepEvent) -> RebuiltStep | None:
        """Return what an event of the scheduler says of a step that ended; None of the others."""
        if isinstance(event, StepDone | StepFailed | StepSkipped) and event.step in self._left_out:
            return None
        if isinstance(event, StepFailed):
            return RebuiltStep(event.step, "not made", f"{event.what}; fix: {event.fix}")
        if isinstance(event, StepSkipped):
            return RebuiltStep(event.step, "not made", "a step before it differs or failed")
        if not isinstance(event, StepDone):
            return None
        recorded = self._steps.outputs(event.step)
        if dict(event.outputs) == dict(recorded):
            return RebuiltStep(event.step, "same", f"{len(recorded)} outputs")
        odd = [name for name in recorded if event.outputs.get(name) != recorded[name]]
        files = [f"{name}/{path}" for name in odd for path in self._files(name, event)]
        named = ", ".join((files or odd)[:_NAMED])
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        what = f"{named}{more}{self._reasons(event)}"
        return RebuiltStep(event.step, "different", what)

    def _files(self, output: str, event: StepDone) -> list[str]:
        """Name the files of an output that differ, where both lists are there."""
        try:
            before = self._recorded.tree(self._steps.outputs(event.step)[output]).entries
            after = self._scratch.tree(event.outputs[output]).entries
        except (CorruptionError, KeyError):
            return []
        return sorted({entry.path for entry in {*before} ^ {*after}})

    def _reasons(self, event: StepDone) -> str:
        """Say what of code, packages and processor was another one then."""
        step = self._steps.record.steps[event.step]
        then = read_record(self._recorded.store, str(step.get("record")))
        now = read_record(self._scratch.store, event.record)
        if then is None or now is None:
            return ""
        found = [name for name in ("code", "environment", "parameters") if _differ(then, now, name)]
        if then.machine.get("cpu") != now.machine.get("cpu"):
            found.append(f"processor ({then.machine.get('cpu')} then)")
        return f"; made with other {', '.join(found)} than then" if found else ""


def _differ(then: ExecutionRecord, now: ExecutionRecord, name: str) -> bool:
    return then.ingredients.get(name) != now.ingredients.get(name)


def place_of(store: Store, run: str) -> Path:
    """Return where a rebuild keeps what it has done until it is complete."""
    mine = hashlib.sha256(f"{store.uri} {run}".encode()).hexdigest()[:16]
    return cache_folder() / "rebuilt" / f"{run[:100]}-{mine}"
