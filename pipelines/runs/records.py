"""Records: what happened, immutable, one for every step and one for every run.

A step's record is an in-toto Statement with a SLSA provenance predicate:
https://in-toto.io/Statement/v1, https://slsa.dev/provenance/v1.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from pipelines import __version__
from pipelines.runs.keys import Ingredients
from pipelines.runs.workspace import is_held, machine_name
from pipelines.stores.store import KeyMissing, Store, is_key

BUILD_TYPE = "urn:slimline:step:1"


def new_run_id(name: str) -> str:
    """Return an identifier that sorts by start and cannot be given twice."""
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> str:
    """Return the present as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def step_record(
    *,
    run: str,
    step: str,
    engine: str,
    ingredients: Ingredients,
    outputs: Mapping[str, str],
    statement: Mapping[str, Any],
    image_digest: str | None,
    wall_s: float,
    finished: str | None = None,
) -> dict[str, object]:
    """Complete the container's statement into the record of one execution.

    Args:
        run: The run's identifier.
        step: The step's name.
        engine: Name of the engine.
        ingredients: What the step key was made of.
        outputs: Tree digest of every output; empty after a failure.
        statement: The facts that the component's process wrote.
        image_digest: Of the container image, where there was one.
        wall_s: Wall time of the whole step for the engine.
        finished: ISO 8601, UTC; None is now.
    """
    dependencies = [
        {"name": name, "digest": {"sha256": item}}
        for name, value in sorted(ingredients.inputs.items())
        for item in (value if isinstance(value, list) else [value])
        if item
    ]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": tree}} for name, tree in sorted(outputs.items())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(ingredients.parameters),
                "internalParameters": ingredients.to_json(),
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": f"slimline/{engine}", "version": {"slimline": __version__}},
                "metadata": {
                    "invocationId": f"{run}/{step}",
                    "startedOn": statement.get("started"),
                    "finishedOn": finished or now(),
                },
                "byproducts": [{"name": "statement", "content": dict(statement)}],
            },
        },
        "key": ingredients.key,
        "image": image_digest,
        "wall_s": wall_s,
    }


def put_step_record(store: Store, run: str, step: str, record: Mapping[str, object]) -> str:
    """Keep a step's record; a step that ran again within its run gets a further one.

    Returns:
        Its store key.
    """
    data, attempt = canonical_json(record), 1
    while True:
        key = f"runs/{run}/steps/{step}{f'.{attempt}' if attempt > 1 else ''}.json"
        if store.put_if_absent(key, data):
            return key
        attempt += 1


def read_ingredients(store: Store, record: str) -> dict[str, object] | None:
    """Return what the key of a recorded execution was made of, or None if the record is gone.

    Raises:
        UserError: The record is damaged.
    """
    try:
        definition = json.loads(_get(store, record))["predicate"]["buildDefinition"]
        return _INGREDIENTS.validate_python(definition["internalParameters"]).to_json()
    except KeyMissing:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damage(store, record) from error


@dataclass(frozen=True)
class RunRecord:
    """One run, from its beginning on.

    Attributes:
        run: Identifier.
        name: The configuration's name.
        config_digest: Digest of the resolved configuration.
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
        fault: What broke it, where that could still be written.
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

    def to_json(self) -> dict[str, object]:
        """Return the form in which it is kept."""
        return {**self.__dict__}


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Settled(BaseModel):
    """What every reader of how a step ended relies on."""

    model_config = ConfigDict(strict=True)

    record: Annotated[str, Field(pattern=r"^(runs/[^/]+/steps/[^/]+)?$")] | None = None


class _Done(_Settled):
    state: Literal["done", "cached"]
    outputs: Mapping[str, _Digest] = Field(default_factory=dict)


class _Failed(_Settled):
    state: Literal["failed"]
    what: str
    fix: str
    user_fault: bool


class _Skipped(_Settled):
    state: Literal["skipped"]


_RUN = TypeAdapter(RunRecord)
_STEPS = TypeAdapter(
    Mapping[str, Annotated[_Done | _Failed | _Skipped, Field(discriminator="state")]]
)
_INGREDIENTS = TypeAdapter(Ingredients)


def put_started(store: Store, record: RunRecord) -> None:
    """Keep the record of a run that begins."""
    store.put_if_absent(f"runs/{record.run}/started.json", canonical_json(record.to_json()))


def put_finished(store: Store, record: RunRecord) -> None:
    """Keep the record of a run that has ended."""
    store.put_if_absent(f"runs/{record.run}/run.json", canonical_json(record.to_json()))


def list_runs(store: Store) -> list[RunRecord]:
    """Return all runs, oldest first.

    Raises:
        UserError: A record is damaged.
    """
    found: dict[str, str] = {}
    for key in store.list("runs/"):
        run, _, rest = key.removeprefix("runs/").partition("/")
        if rest == "run.json" or (rest == "started.json" and run not in found):
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
    for name in ("run.json", "started.json"):
        try:
            return _settled(store, _read(store, f"runs/{run}/{name}"))
        except KeyMissing:
            continue
    known = [record.run for record in list_runs(store)]
    raise UserError(f"the store {store.uri} holds no run {run!r}", suggest(run, known))


def _get(store: Store, key: str) -> bytes:
    """Return a value under a key that is made of what a person gave: it need not be one.

    Raises:
        KeyMissing: There is no value.
    """
    if not is_key(key):
        raise KeyMissing(key)
    return store.get(key)


def _read(store: Store, key: str) -> RunRecord:
    """Return the record of a run under a key.

    Raises:
        KeyMissing: There is none.
        UserError: It is damaged.
    """
    data = _get(store, key)
    try:
        record = _RUN.validate_json(data)
        _STEPS.validate_python(record.steps)
    except ValidationError as error:
        raise _damage(store, key) from error
    return record


def _damage(store: Store, key: str) -> UserError:
    return UserError(
        f"the record {key} in the store {store.uri} is damaged: it is not what slimline wrote",
        "move it out of the store: the results of its steps are kept without it",
    )


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
        return _read(store, f"runs/{record.run}/run.json")
    except KeyMissing:
        return replace(record, outcome="broken")


def register_release(
    store: Store, name: str, run: str, release: str, published: str | None = None
) -> None:
    """Note that a run published a release; the first note of a run stays.

    Args:
        store: Where.
        name: The configuration's name.
        run: The run's identifier.
        release: Tree digest of the release.
        published: ISO 8601, UTC; None is now.
    """
    store.put_if_absent(
        f"releases/{name}/{run}.json",
        canonical_json({"run": run, "release": release, "at": published or now()}),
    )


def log_key(run: str, step: str) -> str:
    """Return where the log of a step lies."""
    return f"runs/{run}/logs/{step}.log"


def read_log(store: Store, run: str | None, step: str) -> str:
    """Return what a step printed; of a cached step, what it printed when it was executed.

    Raises:
        UserError: There is no such run or step, or it never ran.
    """
    record = read_run(store, run)
    known = record.steps
    executed = known.get(step, {}).get("record") or f"runs/{record.run}/steps/{step}.json"
    _, origin, _, name = executed.split("/", 3)
    name = name.split(".")[0]
    try:
        return _get(store, log_key(origin, name)).decode(errors="replace")
    except KeyMissing:
        if record.page and step in known:
            raise UserError(
                f"the log of {step} is where run {record.run} ran, not in the store",
                f"open {record.page}",
            ) from None
        raise UserError(
            f"run {record.run} has no log of a step {step!r}", suggest(step, known)
        ) from None


def open_sealed(store: Store, sealed: str, run: str, step: str, opened: str | None = None) -> None:
    """Write into the ledger that a step looks at sealed images.

    Args:
        store: Where.
        sealed: Tree digest of the images.
        run: The run's identifier.
        step: The step's name.
        opened: ISO 8601, UTC; None is now, as the step is about to begin.
    """
    entry = {"run": run, "step": step, "at": opened or now()}
    store.put_if_absent(f"ledger/{sealed}/{run}.{step}.json", canonical_json(entry))


def times_opened(store: Store, sealed: str) -> int:
    """Return how many runs have looked at the sealed images with this tree digest."""
    names = (key.rsplit("/", 1)[1] for key in store.list(f"ledger/{sealed}/"))
    return len({name.split(".")[0] for name in names})
