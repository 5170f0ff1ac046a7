"""The record of a run: what happened, immutable, written when it begins and when it has ended."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from pipelines.disk.scratch import is_held
from pipelines.runs.graph import Place
from pipelines.runs.journal import announce
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.live.progress import RunProgress, read_progress
from pipelines.runs.moments import now
from pipelines.runs.workspace import machine_name
from pipelines.stores.layout import RUNS, run_key, started_key
from pipelines.stores.store import KeyMissing, Store, is_key


def new_run_id(name: str) -> str:
    """Return an identifier that sorts by start and cannot be given twice."""
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def foreign_run_id(name: str, created: datetime, identifier: str) -> str:
    """Return what a store calls a run that another system began by itself, always the same.

    Args:
        name: Of the pipeline.
        created: When it was created.
        identifier: That system's own.
    """
    short = hashlib.sha256(identifier.encode()).hexdigest()[:4]
    return f"{name}-{created.astimezone(UTC):%Y%m%d-%H%M%S}-{short}"


def run_ids(name: str | None = None) -> re.Pattern[str]:
    """Return what identifiers of runs match as a whole: of one pipeline, or of any."""
    return re.compile(rf"{re.escape(name) if name else '.+'}-\d{{8}}-\d{{6}}-[0-9a-f]{{4}}")


@dataclass(frozen=True)
class RunRecord:
    """One run, from its beginning on.

    Attributes:
        run: Identifier of the run.
        name: The configuration's name.
        config_digest: Digest of the resolved configuration without the places of files.
        graph_digest: Digest of the steps and what flows between them.
        engine: Which engine ran it.
        started: ISO 8601, UTC.
        finished: The same, or None while it runs or when it was killed.
        outcome: ``running``, ``done``, ``failed`` (a step did), ``cancelled``, or ``broken`` (it
            was killed, or the store or the disk failed it). A run of another machine that has
            given no sign of life for a minute is taken for killed.
        budgets: As configured.
        steps: By name its ``state``, and key, outputs, record, function_s, or what failed. States
            are ``done``, ``cached``, ``failed``, ``cancelled`` (it was running), ``skipped`` and,
            of a run without an end, ``waiting``, ``running`` or ``killed``.
        sources: Digest of every snapshot.
        wall_s: Wall time of the run.
        critical_path_s: Sum of function times along the longest path through the graph.
        machine: Name of the machine that runs it.
        work: Its scratch folder there, whose lock says that it lives.
        fault: What broke a broken run, where that could still be written, or None.
        page: Where the engine itself shows the run; None where it does not.
        variants: By name the path of steps, as a configuration holds it; also what ``variants:
            auto`` became. Runs of earlier versions have none.
        actor: Who started it; empty of a run of an earlier version, and of one that nobody started
            from this store, such as one of a schedule.
        places: By name of the source where the user's files lay, addresses as the user wrote them,
            paths absolute; of several files a list. Runs of earlier versions have none.
        retries: Each time that a cluster was to try the run again after it had failed: ``number``
            from 1, ``steps`` that had failed, and ``at``.
        cancelled: Of a cancelled run whose end somebody asked for: ``actor``, ``reason`` and
            ``at``; None of one that Ctrl-C ended, for example.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    run: str
    name: str
    config_digest: str
    graph_digest: str
    engine: str
    started: str
    finished: str | None
    outcome: str
    budgets: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, str]
    wall_s: float
    critical_path_s: float
    machine: str = ""
    work: str = ""
    fault: str | None = None
    page: str | None = None
    variants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    actor: str = ""
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    retries: Sequence[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    cancelled: Mapping[str, Any] | None = None


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _StepState(BaseModel):
    """What every reader of how a step ended relies on."""

    model_config = ConfigDict(strict=True)

    record: Annotated[str, Field(pattern=r"^(runs/[^/]+/steps/[^/]+)?$")] | None = None


class _Done(_StepState):
    state: Literal["done", "cached"]
    outputs: Mapping[str, _Digest] = Field(default_factory=dict)


class _Failed(_StepState):
    state: Literal["failed"]
    what: str
    fix: str
    user_fault: bool


class _Unfinished(_StepState):
    state: Literal["skipped", "cancelled", "killed", "waiting", "running"]


_RUN = TypeAdapter(RunRecord)
_STEPS = TypeAdapter(
    Mapping[str, Annotated[_Done | _Failed | _Unfinished, Field(discriminator="state")]]
)


def put_started(store: Store, record: RunRecord) -> None:
    """Keep the record of a run that begins; the journal says so before."""
    announce(store, "run", record.run)
    store.put_if_absent(started_key(record.run), canonical_json(asdict(record)))


def put_finished(store: Store, record: RunRecord) -> RunRecord:
    """Keep the record of a run that has ended; the journal says so before.

    Returns:
        It; where it was cancelled and somebody had asked for that, it says who.
    """
    announce(store, "run", record.run)
    if record.outcome == "cancelled" and (asked := read_cancellation(store, record.run)):
        record = replace(record, cancelled=asdict(asked))
    store.put_if_absent(run_key(record.run), canonical_json(asdict(record)))
    return record


@dataclass(frozen=True)
class Problem:
    """Something in the store that is not what slimline wrote there.

    Attributes:
        key: Where it lies.
        what: What is wrong with it.
        fix: What can be done.
    """

    key: str
    what: str
    fix: str


def list_runs(store: Store, problems: list[Problem] | None = None) -> list[RunRecord]:
    """Return all runs whose record can be read, oldest first.

    Args:
        store: Where they are.
        problems: Takes the damaged records, which hide none of the others.
    """
    found: dict[str, str] = {}
    for key in store.list(RUNS):
        run = key.removeprefix(RUNS).partition("/")[0]
        if key == run_key(run) or (key == started_key(run) and run not in found):
            found[run] = key
    records: list[RunRecord] = []
    for key in found.values():
        try:
            records.append(_settled(store, _read(store, key)))
        except KeyMissing:  # removed since it was listed, or no file
            continue
        except DamagedRecordError as error:
            if problems is not None:
                problems.append(Problem(key, error.what, error.fix))
    return sorted(records, key=lambda record: (record.started, record.run))


def read_run(store: Store, run: str | None, problems: list[Problem] | None = None) -> RunRecord:
    """Return the record of a run, or of the newest one that can be read.

    Args:
        store: Where it is.
        run: Identifier of the run; None is the newest.
        problems: Takes the damaged records that were passed over in the search for the newest.

    Raises:
        UserError: There is no such run, or its record is damaged.
    """
    if run is None:
        found: list[Problem] = []
        records = list_runs(store, found)
        if problems is not None:
            problems += found
        if records:
            return records[-1]
        if found:
            raise UserError(found[0].what, found[0].fix)
        raise UserError(f"the store {store.uri} holds no run yet", "slimline run CONFIG")
    for key in (run_key(run), started_key(run)):
        try:
            return _settled(store, _read(store, key))
        except KeyMissing:
            continue
    known = [record.run for record in list_runs(store)]
    raise UserError(f"the store {store.uri} holds no run {run!r}", suggest(run, known))


def _read(store: Store, key: str) -> RunRecord:
    """Return the record of a run under a key.

    Raises:
        KeyMissing: There is none.
        UserError: It is damaged.
    """
    data = read_value(store, key)
    try:
        return parse_record(data)
    except ValidationError as error:
        raise damaged_record(store, key) from error


def read_started(store: Store, run: str) -> RunRecord | None:
    """Return what was recorded when a run began, or None where this store knows nothing of that.

    What is damaged tells nothing either: ``slimline verify`` names it.
    """
    try:
        return parse_record(store.get(started_key(run)))
    except (KeyMissing, ValueError):
        return None


def parse_record(data: bytes) -> RunRecord:
    """Return the record of a run that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    record = _RUN.validate_json(data)
    _STEPS.validate_python(record.steps)
    return record


def _settled(store: Store, record: RunRecord) -> RunRecord:
    """Return the record, of a run without an end with how far it is.

    It is ``broken`` and not ``running`` where its process is known to be gone.
    """
    if record.outcome != "running":
        return record
    progress = read_progress(store, record.run)
    if not _is_gone(record, progress):
        return replace(record, steps=_steps_of(progress, killed=False))
    try:  # it may have ended since the record was read
        return _read(store, run_key(record.run))
    except KeyMissing:
        gone = killed(record, progress)
    # What killed it did what somebody had asked for: nothing is to be tried again.
    asked = read_cancellation(store, record.run)
    return replace(gone, outcome="cancelled", cancelled=asdict(asked)) if asked else gone


def killed(record: RunRecord, progress: RunProgress | None) -> RunRecord:
    """Return the record of a run whose process is gone without a word.

    Args:
        record: As it was when the run began.
        progress: The last that it told.
    """
    seen = f", last seen at {progress.at}" if progress else ""
    steps = _steps_of(progress, killed=True)
    return replace(record, outcome="broken", fault=f"its engine was killed{seen}", steps=steps)


def _is_gone(record: RunRecord, progress: RunProgress | None) -> bool:
    """Whether the process that runs this is known to be gone."""
    if not record.machine:  # the run goes on in a cluster without it
        return False
    if record.machine != machine_name():
        return progress is not None and progress.silent(now())
    try:
        return not is_held(Path(record.work))
    # Another user's, on a disk that is read-only now, or no folder at all: nobody knows.
    except (OSError, ValueError):
        return False


def _steps_of(progress: RunProgress | None, *, killed: bool) -> Mapping[str, Mapping[str, Any]]:
    """Return how far the steps are; nothing where that cannot be read."""
    if progress is None:
        return {}
    ended = {"running": "killed", "waiting": "skipped"} if killed else {}
    try:
        _STEPS.validate_python(progress.steps)
    except ValidationError:
        return {}
    return {
        name: {**step, "state": ended.get(step["state"], step["state"])}
        for name, step in progress.steps.items()
    }


def read_value(store: Store, key: str) -> bytes:
    """Return a value under a key that is made of what a person gave: it need not be one.

    Raises:
        KeyMissing: There is no value.
    """
    if not is_key(key):
        raise KeyMissing(key)
    return store.get(key)


class DamagedRecordError(UserError):
    """What lies under a key is no record."""


def damaged_record(store: Store, key: str) -> UserError:
    """Return the error for what lies under a key and is no record."""
    return DamagedRecordError(
        f"the record {key} in the store {store.uri} is damaged: it is not what slimline wrote",
        "move it out of the store: the results of its steps are kept without it",
    )
