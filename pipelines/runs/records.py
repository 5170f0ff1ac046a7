"""The record of a run: what happened, immutable, written when it begins and when it has ended."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from pipelines.disk.scratch import is_held
from pipelines.runs.workspace import machine_name
from pipelines.stores.layout import RUNS, run_key, started_key
from pipelines.stores.store import KeyMissing, Store, is_key


def new_run_id(name: str) -> str:
    """Return an identifier that sorts by start and cannot be given twice."""
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> str:
    """Return the present as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


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
            was killed, or the store or the disk failed it). A run that was killed on another
            machine cannot be told from one that runs there.
        budgets: As configured.
        steps: Name to key, outputs, record, whether cached, function_s, or what failed.
        sources: Digest of every snapshot.
        wall_s: Wall time of the run.
        critical_path_s: Sum of function times along the longest path through the graph.
        machine: Name of the machine that runs it.
        work: Its scratch folder there, whose lock says that it lives.
        fault: What broke a broken run, where that could still be written, or None.
        page: Where the engine itself shows the run; None where it does not.
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


class _Skipped(_StepState):
    state: Literal["skipped"]


_RUN = TypeAdapter(RunRecord)
_STEPS = TypeAdapter(
    Mapping[str, Annotated[_Done | _Failed | _Skipped, Field(discriminator="state")]]
)


def put_started(store: Store, record: RunRecord) -> None:
    """Keep the record of a run that begins."""
    store.put_if_absent(started_key(record.run), canonical_json(asdict(record)))


def put_finished(store: Store, record: RunRecord) -> None:
    """Keep the record of a run that has ended."""
    store.put_if_absent(run_key(record.run), canonical_json(asdict(record)))


def list_runs(store: Store) -> list[RunRecord]:
    """Return all runs, oldest first.

    Raises:
        UserError: A record is damaged.
    """
    found: dict[str, str] = {}
    for key in store.list(RUNS):
        run = key.removeprefix(RUNS).partition("/")[0]
        if key == run_key(run) or (key == started_key(run) and run not in found):
            found[run] = key
    records: list[RunRecord] = []
    for key in found.values():
        with contextlib.suppress(KeyMissing):  # removed since it was listed, or no file
            records.append(_settled(store, _read(store, key)))
    return sorted(records, key=lambda record: (record.started, record.run))


def read_run(store: Store, run: str | None) -> RunRecord:
    """Return the record of a run, or of the newest one.

    Raises:
        UserError: There is no such run, or its record is damaged.
    """
    if run is None:
        records = list_runs(store)
        if not records:
            raise UserError(f"the store {store.uri} holds no run yet", "slimline run CONFIG")
        return records[-1]
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


def parse_record(data: bytes) -> RunRecord:
    """Return the record of a run that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    record = _RUN.validate_json(data)
    _STEPS.validate_python(record.steps)
    return record


def _settled(store: Store, record: RunRecord) -> RunRecord:
    """Return the record, with ``broken`` for ``running`` where its process is known to be gone."""
    if record.outcome != "running" or record.machine != machine_name():
        return record
    try:
        if is_held(Path(record.work)):
            return record
    # Another user's, on a disk that is read-only now, or no folder at all: nobody knows.
    except (OSError, ValueError):
        return record
    try:  # it may have ended since the record was read
        return _read(store, run_key(record.run))
    except KeyMissing:
        return replace(record, outcome="broken")


def read_value(store: Store, key: str) -> bytes:
    """Return a value under a key that is made of what a person gave: it need not be one.

    Raises:
        KeyMissing: There is no value.
    """
    if not is_key(key):
        raise KeyMissing(key)
    return store.get(key)


def damaged_record(store: Store, key: str) -> UserError:
    """Return the error for what lies under a key and is no record."""
    return UserError(
        f"the record {key} in the store {store.uri} is damaged: it is not what slimline wrote",
        "move it out of the store: the results of its steps are kept without it",
    )
