"""Launching a run, and explaining one before it is launched."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Literal

from components.contract.errors import UserError, suggest
from components.contract.images import environment_digest
from components.contract.tree import SINGLE
from pipelines.compress import DATA, graph_of
from pipelines.config.loading import Config
from pipelines.disk.files import disk_faults
from pipelines.disk.names import absolute
from pipelines.engines.engine import (
    Cluster,
    Engine,
    Event,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef
from pipelines.runs.keys import InputDigest, ingredients_of
from pipelines.runs.records import (
    RunRecord,
    list_runs,
    new_run_id,
    now,
    put_finished,
    put_started,
    read_ingredients,
    register_release,
)
from pipelines.runs.workspace import machine_name, workspace, workspace_root
from pipelines.sources.snapshot import ChecksumCache, Source, snapshot, snapshot_model
from pipelines.stores.store import CACHE, Store, open_store

Settled = StepDone | StepFailed | StepSkipped
Outcome = Literal["done", "failed", "cancelled", "running"]

_PAGE = "report.html"

ENGINES = ("local", "docker", "kubeflow")


@dataclass(frozen=True)
class Launched:
    """What became of a run.

    Attributes:
        run: Identifier under which the store keeps it.
        outcome: ``done`` also when nothing keeps to the budget; ``running`` when it goes on
            without this process.
        steps: How each step ended.
        wall_s: From the call of ``launch`` to the last record.
        critical_path_s: Sum of function times along the longest path.
        exported: Folder with the release and the report, or None unless ``done``.
        page: Where the engine itself shows the run; None where it does not.
    """

    run: str
    outcome: Outcome
    steps: Mapping[str, Settled]
    wall_s: float
    critical_path_s: float
    exported: Path | None
    page: str | None = None


@dataclass(frozen=True)
class Changed:
    """The step would run because of its own ingredients.

    Attributes:
        what: What differs from its last execution, such as ``parameters.epochs``; ``new`` when
            there was none, ``result lost`` when the store no longer has all of it.
    """

    what: tuple[str, ...]


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
    """

    step: str
    reason: Changed | Upstream | None


def launch(
    config: Config,
    *,
    engine: str = "local",
    store: str | None = None,
    output: Path | None = None,
    remeasure: bool = False,
    cluster: Cluster | None = None,
    on_event: Callable[[Event], None],
) -> Launched:
    """Run a configuration from the snapshot of its data to the release.

    Args:
        config: What to run.
        engine: Which engine.
        store: Address of the store, instead of the configured one.
        output: Where release and report are exported; None: ``slimline-out/<name>``.
        remeasure: Measure again what was disturbed the last time.
        cluster: Where, for an engine that is not of this machine.
        on_event: Told everything that happens, in the calling thread.

    Raises:
        UserError: Something that the user gave cannot be used.
    """
    began = time.monotonic()
    folder = output or Path("slimline-out") / config.name
    _check_output(folder)
    opened = open_store(store or config.store)
    graph = graph_of(config)
    check_reach(engine, config, graph)
    sources = snapshots(graph)
    run = new_run_id(config.name)
    with workspace(workspace_root(opened), run) as work:
        cache = Cache(opened, work)
        chosen = (
            open_kubeflow(config, cache, work, cluster or Cluster(), remeasure=remeasure)
            if engine == "kubeflow"
            else open_engine(engine, cache, work, remeasure=remeasure)
        )
        record = RunRecord(
            run=run,
            name=config.name,
            config_digest=config.digest,
            graph_digest=graph.digest,
            engine=chosen.name,
            started=now(),
            finished=None,
            outcome="running",
            budgets=config.budgets.model_dump(),
            steps={},
            sources={name: source.digest for name, source in sources.items()},
            wall_s=0.0,
            critical_path_s=0.0,
            machine="" if chosen.detached else machine_name(),
            work="" if chosen.detached else str(work),
        )
        put_started(opened, record)
        steps: dict[str, Settled] = {}
        with _breaking_recorded(opened, chosen, graph, record, steps, began):
            outcome, exported = _walked(
                chosen, cache, graph, sources, record, steps, folder, on_event
            )
            ended = _ended(graph, record, steps, outcome, began, page=chosen.page)
            if outcome != "running":
                put_finished(opened, ended)
    return Launched(run, outcome, steps, ended.wall_s, ended.critical_path_s, exported, chosen.page)


def _walked(
    engine: Engine,
    cache: Cache,
    graph: Graph,
    sources: Mapping[str, Source],
    record: RunRecord,
    steps: dict[str, Settled],
    folder: Path,
    on_event: Callable[[Event], None],
) -> tuple[Outcome, Path | None]:
    """Run all steps, noting in ``steps`` how each ends, and export the release to ``folder``."""
    with _interruptible(engine) as interrupted:
        while True:
            for event in engine.submit(graph, sources, record.run):
                if not isinstance(event, StepStarted):
                    steps[event.step] = event
                on_event(event)
            outcome = _outcome(steps, engine, cancelled=interrupted.is_set())
            if outcome != "done":
                return outcome, None
            # Corruption found on the way out is in quarantine now: the next round repairs it.
            with contextlib.suppress(CorruptionError):
                return outcome, _export(cache, steps, folder, record.name, record.run)


def _ended(
    graph: Graph,
    record: RunRecord,
    steps: Mapping[str, Settled],
    outcome: str,
    began: float,
    *,
    page: str | None = None,
    fault: str | None = None,
) -> RunRecord:
    """Complete the record of a run that began at this monotonic time."""
    return replace(
        record,
        finished=now(),
        outcome=outcome,
        steps={name: settled_json(event) for name, event in steps.items()},
        wall_s=time.monotonic() - began,
        critical_path_s=critical_path(graph, steps),
        page=page,
        fault=fault,
    )


@contextlib.contextmanager
def _breaking_recorded(
    store: Store,
    engine: Engine,
    graph: Graph,
    record: RunRecord,
    steps: Mapping[str, Settled],
    began: float,
) -> Generator[None]:
    """Put into the store that an error ended the run, where it did and the store still takes it."""
    try:
        yield
    except BaseException as error:
        if engine.still_running:
            raise
        said = error.what if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        broken = _ended(graph, record, steps, "broken", began, fault=said)
        # The error itself is what counts. A store that is not to be reached is given up sooner
        # when it is opened than when it is written.
        with contextlib.suppress(Exception):
            put_finished(open_store(store.uri), broken)
        raise


def open_engine(name: str, cache: Cache, work: Path, *, remeasure: bool = False) -> Engine:
    """Load the engine called ``name``.

    Raises:
        UserError: There is none of that name.
    """
    if name == "local":
        from pipelines.engines.machine.local import LocalRunner

        return Scheduler(LocalRunner(), cache, work, remeasure=remeasure)
    if name == "docker":
        from pipelines.engines.machine.docker import DockerRunner

        return Scheduler(DockerRunner(work), cache, work, remeasure=remeasure)
    raise UserError(f"there is no engine {name!r}", suggest(name, ENGINES))


def open_kubeflow(
    config: Config, cache: Cache, work: Path, cluster: Cluster, *, remeasure: bool
) -> Engine:
    """Load the engine that runs on a cluster, and find the cluster.

    Raises:
        UserError: It cannot be reached, or cannot do what is asked for.
    """
    if remeasure:
        raise UserError(
            "the engine kubeflow cannot measure again: its cache is the cluster's own",
            "set cache: false under kubeflow and run again",
        )
    from pipelines.engines.kubeflow.engine import KubeflowEngine

    return KubeflowEngine(config, cache, work, cluster)


def check_reach(engine: str, config: Config, graph: Graph) -> None:
    """Refuse, before anything is read, what an engine that is not of this machine cannot reach.

    Raises:
        UserError: A place of this machine, or a device that is attached to it.
    """
    if engine == "kubeflow":
        from pipelines.engines.kubeflow import preflight

        preflight.check(config, graph)


def snapshots(graph: Graph) -> dict[str, Source]:
    """List and hash the user's files that the graph starts from.

    Raises:
        UserError: They are missing, empty or cannot be read.
    """
    with ChecksumCache(absolute(CACHE) / "checksums.sqlite") as cache:
        return {
            name: snapshot(uri, cache) if name == DATA else snapshot_model(uri, cache)
            for name, uri in graph.sources.items()
        }


def explain(config: Config, *, store: str | None = None) -> list[Explanation]:
    """Say for every step whether its result is there, and why not.

    Raises:
        UserError: Something that the user gave cannot be used.
    """
    opened = open_store(store or config.store)
    cache = Cache(opened, workspace_root(opened))
    graph = graph_of(config)
    sources = snapshots(graph)
    before = [record for record in list_runs(opened) if record.name == config.name]
    outputs: dict[str, Mapping[str, str]] = {}
    explained: list[Explanation] = []
    for step in graph.ordered:
        missing = next((ref.step for ref in step.refs if ref.step not in outputs), None)
        if missing:
            explained.append(Explanation(step.name, Upstream(missing)))
            continue
        inputs = {port: _digests(flow, outputs, sources) for port, flow in step.inputs.items()}
        ingredients = ingredients_of(step, inputs, environment_digest(step.interface.image))
        if result := cache.lookup(ingredients.key):
            outputs[step.name] = result.outputs
            explained.append(Explanation(step.name, None))
            continue
        last = _last_ingredients(opened, before, step.name)
        what = ("new",) if last is None else ingredients.changed_since(last)
        explained.append(Explanation(step.name, Changed(what or ("result lost",))))
    return explained


def _digests(
    flow: Flow, outputs: Mapping[str, Mapping[str, str]], sources: Mapping[str, Source]
) -> InputDigest:
    if isinstance(flow, tuple):
        return [outputs[ref.step][ref.output] for ref in flow]
    if isinstance(flow, SourceRef):
        return sources[flow.name].digest
    return outputs[flow.step][flow.output] if isinstance(flow, Ref) else None


def _last_ingredients(
    store: Store, before: list[RunRecord], step: str
) -> Mapping[str, object] | None:
    """Find what the newest execution of a step in runs of this name was made of."""
    for record in reversed(before):
        key = record.steps.get(step, {}).get("record")
        if key and (found := read_ingredients(store, key)):
            return found
    return None


def critical_path(graph: Graph, steps: Mapping[str, Settled]) -> float:
    """Return the sum of function times, in seconds, along the longest path through the graph."""
    finish: dict[str, float] = {}
    for step in graph.ordered:
        event = steps.get(step.name)
        own = event.function_s if isinstance(event, StepDone) else 0.0
        finish[step.name] = own + max((finish[ref.step] for ref in step.refs), default=0.0)
    return max(finish.values(), default=0.0)


def _outcome(steps: Mapping[str, Settled], engine: Engine, *, cancelled: bool) -> Outcome:
    if engine.still_running:
        return "running"
    if any(isinstance(event, StepFailed) for event in steps.values()):
        return "failed"
    if cancelled or any(isinstance(event, StepSkipped) for event in steps.values()):
        return "cancelled"
    return "done"


def settled_json(event: Settled) -> dict[str, object]:
    """Return how a step ended in the form of a run's record."""
    match event:
        case StepDone():
            return {
                "state": "cached" if event.cached else "done",
                "key": event.key,
                "outputs": dict(event.outputs),
                "record": event.record,
                "cached": event.cached,
                "function_s": event.function_s,
                "wall_s": event.wall_s,
            }
        case StepFailed():
            return {
                "state": "failed",
                "what": event.what,
                "fix": event.fix,
                "user_fault": event.user_fault,
                "record": event.record,
            }
        case StepSkipped():
            return {"state": "skipped"}


@contextlib.contextmanager
def _interruptible(engine: Engine) -> Generator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an orderly cancel while a run goes on."""
    interrupted = threading.Event()

    def cancel(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        engine.cancel()

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_output(folder: Path) -> None:
    """Refuse, before anything runs, a place that the release must not replace.

    Raises:
        UserError: It is no folder, cannot be exchanged, or holds something other than a release.
    """
    fix = "name another folder, which need not exist yet, with --output DIR"
    with disk_faults(folder):
        blocked = any(path.exists() and not path.is_dir() for path in (folder, *folder.parents))
        if blocked or folder.name in ("", ".."):
            raise UserError(f"{folder} is no folder that a release can replace", fix)
        held = [path.name for path in folder.iterdir()] if folder.exists() else []
    if held and _PAGE not in held:
        raise UserError(
            f"{folder} would be replaced as a whole, and holds no release but {min(held)}", fix
        )


def _export(cache: Cache, steps: Mapping[str, Settled], folder: Path, name: str, run: str) -> Path:
    """Register the release, and lay it and the leaderboard where a person finds them.

    The folder is replaced as a whole, or stays as it was.
    """
    published, selected = steps["publish"], steps["select"]
    assert isinstance(published, StepDone)
    assert isinstance(selected, StepDone)
    release = published.outputs["release"]
    register_release(cache.store, name, run, release)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            fresh = Path(temporary, "new")
            for entry in cache.tree(release).entries:
                path = fresh / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cache.read_file(release, entry.path))
            (fresh / _PAGE).write_bytes(cache.read_file(selected.outputs["page"], SINGLE))
            if folder.exists():
                folder.rename(Path(temporary, "old"))
            fresh.rename(folder)
    except OSError as error:
        raise UserError(
            f"the release cannot be written to {folder}: {error.strerror}",
            "name another place with --output DIR, then run again: every step is cached",
        ) from error
    return folder
