"""Launching a run: from the snapshot of its data to the release."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import cache as once
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.secrets import refuse_secrets
from pipelines.disk.files import fault_of
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.engine import Cluster, Engine
from pipelines.engines.opening import INSTALLED, Request, choose
from pipelines.launch.exporting import (
    NotMeasuredError,
    PublishedRun,
    check_measured,
    check_output,
    export,
)
from pipelines.runs.actor import actor
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.choices import choices_in
from pipelines.runs.graph import Graph
from pipelines.runs.images_used import STEP, data_use_of
from pipelines.runs.joined_records import join_records
from pipelines.runs.kept.kept_documents import Document, documents_of, put_documents
from pipelines.runs.kept.kept_graphs import put_graph
from pipelines.runs.kept.kept_sources import put_source, read_source
from pipelines.runs.listing import listed_sources
from pipelines.runs.live.cancelling import ending_when_asked
from pipelines.runs.live.estimates import durations
from pipelines.runs.live.events import (
    Estimated,
    Event,
    ImagesCounted,
    Planned,
    RunRetried,
    StepDone,
    StepFailed,
    StepSkipped,
)
from pipelines.runs.live.killed import record_killed
from pipelines.runs.live.progress import ProgressWriter
from pipelines.runs.live.settled_steps import Settled, critical_path, settled_json
from pipelines.runs.moments import seconds_since
from pipelines.runs.records import (
    RunRecord,
    new_run_id,
    now,
    put_finished,
    put_started,
    read_started,
)
from pipelines.runs.releases.registry import register_release
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.sources.snapshot import DATA, Snapshot
from pipelines.sources.together import folder_of
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store

Outcome = Literal["done", "failed", "cancelled", "running"]


class DataChangedError(UserError):
    """The data is not what a run was to train on."""


@dataclass(frozen=True)
class Ordered:
    """A run that was decided on before: what it is called, and what it is to be made of.

    Attributes:
        run: Its identifier.
        actor: Who or what decided it.
        data: Digest of the snapshot of the data; empty: as it is.
        settled: Whether only those folders of the data are meant that the listing of that snapshot
            names, which the store keeps; others may be written meanwhile.
        counts: Asked before the release is registered: whether this run still is the one that
            counts.
    """

    run: str
    actor: str
    data: str = ""
    settled: bool = False
    counts: Callable[[], bool] = lambda: True


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
        cancelled: Of whoever asked for its end; see ``RunRecord``.
    """

    run: str
    outcome: Outcome
    steps: Mapping[str, Settled]
    wall_s: float
    critical_path_s: float
    exported: Path | None
    page: str | None = None
    cancelled: Mapping[str, Any] | None = None


def launch(
    config: Config,
    *,
    engine: str = "local",
    store: str | None = None,
    output: Path | None = None,
    remeasure: bool = False,
    cluster: Cluster | None = None,
    ordered: Ordered | None = None,
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
        ordered: Of a run that was decided on before, such as by a trigger.
        on_event: Told everything that happens, in the calling thread; what is planned comes first.

    Raises:
        DataChangedError: The data is not what was ordered.
        UserError: Something that the user gave cannot be used.
    """
    began = time.monotonic()
    refuse_secrets(config)
    graph = graph_of(config)
    on_event(Planned(graph))
    folder = output or Path("slimline-out") / config.name
    opened = open_store(store or config.store)
    check_output(folder, Cache(opened, workspace_root(opened)), config.name)

    @once
    def listed() -> Mapping[str, Snapshot]:
        return listed_sources(graph, read_exclusions(opened), settled_folders(opened, ordered))

    request = Request(
        config, graph, cluster or Cluster(), remeasure, opened, sources=listed, tell=on_event
    )
    opener = choose(engine, request)
    acting = ordered.actor if ordered else actor()
    sources = listed()
    _check_data(sources, ordered)
    # Whether the store can be used at all the run itself will find out.
    with contextlib.suppress(UserError):
        record_killed(opened)
    fresh = ordered.run if ordered else new_run_id(config.name)
    with scratch_folder(workspace_root(opened), fresh) as work:
        cache = Cache(opened, work)
        chosen = opener(cache, work)
        left = chosen.left(graph, sources)
        if ordered and left != ordered.run:  # what is left is somebody else's to go on with
            left = None
        run = left or fresh
        documents = documents_of(config, graph, installed=chosen.name == INSTALLED)
        record = _first_record(config, graph, chosen, sources, run, work, acting)
        if left and (begun := read_started(opened, left)):
            record = replace(record, started=begun.started, actor=begun.actor)
            began -= seconds_since(begun.started)
        current = _CurrentRun(
            chosen, graph, record, began, ProgressWriter(opened, run, graph),
            ordered.counts if ordered else lambda: True,
        )  # fmt: skip
        with current.breaking_recorded(opened):
            _put_begun(opened, record, graph, documents, sources)
            if not chosen.detached:  # what runs beside what in a cluster nobody here knows
                with contextlib.suppress(UserError):
                    on_event(Estimated(durations(opened, graph)))
            outcome, exported = current.to_end(cache, sources, folder, on_event)
            ended = current.ended(outcome)
            if outcome != "running":
                ended = put_finished(opened, ended)
                join_records(opened, run)
    return Launched(
        run, outcome, current.steps, ended.wall_s, ended.critical_path_s, exported, chosen.page,
        ended.cancelled,
    )  # fmt: skip


def _first_record(
    config: Config,
    graph: Graph,
    engine: Engine,
    sources: Mapping[str, Snapshot],
    run: str,
    work: Path,
    acting: str,
) -> RunRecord:
    """Return the record of a run of which no step has ended."""
    return RunRecord(
        run=run,
        name=config.name,
        config_digest=config.digest,
        graph_digest=graph.digest,
        engine=engine.name,
        started=now(),
        finished=None,
        outcome="running",
        budgets=config.budgets.model_dump(),
        variants=config.written_variants,
        steps={},
        sources={name: source.digest for name, source in sources.items()},
        wall_s=0.0,
        critical_path_s=0.0,
        machine="" if engine.detached else machine_name(),
        work="" if engine.detached else str(work),
        actor=acting,
        places=graph.sources,
    )


def _put_begun(
    store: Store,
    record: RunRecord,
    graph: Graph,
    documents: list[Document],
    sources: Mapping[str, Snapshot],
) -> None:
    """Put into the store what a record refers to, and then the record."""
    put_graph(store, graph)
    put_documents(store, documents)
    for source in sources.values():
        put_source(store, source)
    put_started(store, record)


def settled_folders(store: Store, ordered: Ordered | None) -> frozenset[str] | None:
    """Return the folders of the data that an order means; None where it means all.

    Raises:
        UserError: The listing that names them is damaged.
    """
    if ordered is None or not ordered.settled or not ordered.data:
        return None
    listing = read_source(store, ordered.data)
    return frozenset(folder_of(file.name) for file in listing.files) if listing else None


def _check_data(sources: Mapping[str, Snapshot], ordered: Ordered | None) -> None:
    if ordered and ordered.data and sources[DATA].digest != ordered.data:
        raise DataChangedError(
            f"{sources[DATA].uri} is not what the run {ordered.run} was decided for any more",
            "nothing is lost: the data as it is now is looked at next",
        )


class _CurrentRun:
    """A run in progress: its engine, its record so far, and how its steps have ended.

    Args:
        engine: What runs it.
        graph: Its steps.
        record: As it was written when the run began.
        began: Monotonic time of the call of ``launch``.
        progress: Keeps the store informed meanwhile.
        counts: Whether its release may be registered.
    """

    def __init__(
        self,
        engine: Engine,
        graph: Graph,
        record: RunRecord,
        began: float,
        progress: ProgressWriter,
        counts: Callable[[], bool],
    ) -> None:
        self._counts = counts
        self.steps: dict[str, Settled] = {}
        self._retries: list[dict[str, object]] = []
        self._engine = engine
        self._graph = graph
        self._record = record
        self._began = began
        self._progress = progress

    def to_end(
        self,
        cache: Cache,
        sources: Mapping[str, Snapshot],
        folder: Path,
        on_event: Callable[[Event], None],
    ) -> tuple[Outcome, Path | None]:
        """Run all steps, and export the release of a run that is done to ``folder``."""
        repeated = False
        interrupting = _interruptible(self._engine, cache.store, self._record.run)
        with self._progress, interrupting as interrupted:
            while True:
                for event in self._engine.submit(self._graph, sources, self._record.run):
                    if isinstance(event, Settled):
                        self.steps[event.step] = event
                    if isinstance(event, RunRetried):
                        steps = list(event.steps)
                        self._retries.append({"number": event.number, "steps": steps, "at": now()})
                    self._progress.on_event(event)
                    on_event(event)
                    if isinstance(event, StepDone) and event.step == STEP:
                        _count_images(cache, event, on_event)
                outcome = self._outcome(cancelled=interrupted.is_set())
                if outcome == "done" and not self._counts():
                    outcome = "cancelled"
                if outcome != "done":
                    return outcome, None
                # Corruption found on the way out is in quarantine now: the next round repairs it.
                with contextlib.suppress(CorruptionError):
                    try:
                        return outcome, self._export(cache, folder)
                    except NotMeasuredError:
                        if repeated:
                            raise
                        repeated = True
                        chosen = [choice.select for choice in choices_in(self.steps.keys())]
                        self._forget(cache, *chosen, "publish")

    def _export(self, cache: Cache, folder: Path) -> Path:
        """Register the release, and write it where a person finds it."""
        outputs = {
            name: event.outputs for name, event in self.steps.items() if isinstance(event, StepDone)
        }
        published = PublishedRun.of(self._record.name, self._record.run, outputs)
        check_measured(cache, published)
        register_release(cache.store, published.name, published.run, published.release)
        return export(cache, published, folder)

    def _forget(self, cache: Cache, *steps: str) -> None:
        """Have the results of these steps made again."""
        for name in steps:
            event = self.steps[name]
            assert isinstance(event, StepDone)
            cache.forget(event.key)

    def _outcome(self, *, cancelled: bool) -> Outcome:
        events = self.steps.values()
        if self._engine.still_running:
            return "running"
        if any(isinstance(event, StepFailed) for event in events):
            return "failed"
        if cancelled or any(isinstance(event, StepSkipped) for event in events):
            return "cancelled"
        return "done"

    def ended(self, outcome: str, *, fault: str | None = None) -> RunRecord:
        """Return the complete record, with the fault of a run that broke."""
        return replace(
            self._record,
            finished=now(),
            outcome=outcome,
            steps={
                name: {"component": self._graph.by_name[name].component, **settled_json(event)}
                for name, event in self.steps.items()
            },
            wall_s=time.monotonic() - self._began,
            critical_path_s=critical_path(self._graph, self.steps),
            page=None if fault else self._engine.page,
            retries=self._retries,
            fault=fault,
        )

    @contextlib.contextmanager
    def breaking_recorded(self, store: Store) -> Generator[None]:
        """Put into the store that an error ended the run, if the store still takes it."""
        try:
            yield
        except BaseException as error:
            if self._engine.still_running:
                raise
            told = fault_of(error) if isinstance(error, OSError) else error
            what = told.what if isinstance(told, UserError) else f"{type(error).__name__}: {error}"
            # The error itself is what counts. A store that is not to be reached is given up sooner
            # when it is opened than when it is written.
            with contextlib.suppress(Exception):
                put_finished(open_store(store.uri), self.ended("broken", fault=what))
            raise


def _count_images(cache: Cache, event: StepDone, on_event: Callable[[Event], None]) -> None:
    """Tell what became of the images, as soon as it is known."""
    # Damage is the engine's to find when a later step reads the report; nothing is lost here.
    with contextlib.suppress(CorruptionError, KeyError, ValueError):
        if use := data_use_of(cache, event.outputs):
            on_event(ImagesCounted(event.step, use))


@contextlib.contextmanager
def _interruptible(engine: Engine, store: Store, run: str) -> Generator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and what somebody asks for into an orderly cancel of a run."""
    interrupted = threading.Event()

    def cancel(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        engine.cancel()

    def end() -> None:
        interrupted.set()
        engine.cancel(for_good=True)

    with ending_when_asked(store, run, end), _signals_taken(cancel):
        yield interrupted


@contextlib.contextmanager
def _signals_taken(cancel: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """Have Ctrl-C and SIGTERM call this, where this thread is the one that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
