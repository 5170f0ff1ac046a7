"""One step from staged inputs to a durable result."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.execution import CRASHED, OK
from components.contract.executor_input import PROGRESS, STATEMENT
from components.contract.provisional import is_provisional
from components.contract.tree import SINGLE
from components.contract.types import SINGLE_FILE_KINDS
from pipelines.disk.files import disk_faults
from pipelines.disk.folders import remove_tree
from pipelines.engines.machine.claims import publish
from pipelines.engines.machine.diagnosis import diagnose
from pipelines.engines.machine.gpus import Gpu, one_of
from pipelines.engines.machine.machine_lock import machine_lock
from pipelines.engines.machine.runner import CANCELLED, Ended, Job, Runner, progress_file
from pipelines.engines.machine.skipping import CANCELLATION
from pipelines.runs.cache import Cache
from pipelines.runs.graph import SourceRef, Step
from pipelines.runs.keys import NO_OTHERS, Fingerprints, Ingredients
from pipelines.runs.ledger import open_sealed
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped, StepStarted, StepWaiting
from pipelines.runs.live.logs import log_file
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.sources.snapshot import Snapshot, stage
from pipelines.stores.layout import log_key
from pipelines.stores.leases import Lease


class _NoResultError(Exception):
    """A step ended well, and yet what it left is no result."""


@dataclass(frozen=True)
class Context:
    """What all steps of a run share.

    Attributes:
        attempts: How often each step has been executed in this run.
        devices: Fingerprints of the devices of the graph that are not this machine.
    """

    runner: Runner
    cache: Cache
    work: Path
    run: str
    sources: Mapping[str, Snapshot]
    cancelled: threading.Event
    attempts: dict[str, int] = field(default_factory=dict[str, int])
    devices: Fingerprints = field(default_factory=lambda: NO_OTHERS)


def execute_step(
    context: Context,
    step: Step,
    ingredients: Ingredients,
    claim: Lease,
    announce: Callable[[StepWaiting | StepStarted], None],
    gpus: Sequence[Gpu] = (),
) -> StepDone | StepFailed | StepSkipped:
    """Execute a step and make its result durable.

    Args:
        context: The run.
        step: What to execute.
        ingredients: What its key is made of.
        claim: On the step.
        announce: Called when it waits for the machine, and when it starts.
        gpus: Those of the machine, of which a step that computes on one is given one.

    Raises:
        CorruptionError: An input cannot be read from the store as it should be.
        UserError: The store or the disk under the scratch folder fails.
    """
    began = time.monotonic()
    with disk_faults(context.work):
        job = _job(context, step, ingredients)
    ended, waited_s = _run(context, job, ingredients, announce, gpus)
    if ended is None:
        return StepSkipped(step.name, CANCELLATION)
    if job.log.exists():
        context.cache.store.put_if_absent(log_key(context.run, step.name, job.attempt), job.log)
    if ended.reason == CANCELLED:
        stated = {"outcome": {"result": "cancelled", "what": CANCELLATION}}
        wall_s = time.monotonic() - began
        record = _put_record(context, job, ingredients, ended, stated, {}, wall_s)
        return StepSkipped(step.name, CANCELLATION, cancelled=True, record=record)
    statement = _statement(job)
    outputs: dict[str, str] = {}
    if ended.code == OK:
        try:
            outputs = _collect(context, job, ingredients, statement)
        except _NoResultError as error:
            ended = replace(ended, code=CRASHED)
            statement |= {"outcome": {"result": "crashed", "what": str(error)}}
    wall_s = time.monotonic() - began
    record = _put_record(context, job, ingredients, ended, statement, outputs, wall_s)
    if ended.code != OK:
        what, fix, user_fault = diagnose(context.run, context.work, job, ended, statement)
        return StepFailed(step.name, what, fix, user_fault, record)
    made = CachedResult(ingredients.key, outputs, record, float(statement["wall_s"]))
    if _is_provisional(context, step, outputs):
        result = made  # for this run alone
    else:
        result = publish(context.cache, claim, made, context.cancelled)
    remove_tree(job.folder)
    if result is None:
        return StepSkipped(step.name, CANCELLATION, cancelled=True, record=record)
    return StepDone(
        step.name, result.key, result.outputs, result.record,
        cached=False, function_s=result.function_s, wall_s=time.monotonic() - began,
        waited_s=waited_s,
    )  # fmt: skip


def _run(
    context: Context,
    job: Job,
    ingredients: Ingredients,
    announce: Callable[[StepWaiting | StepStarted], None],
    gpus: Sequence[Gpu],
) -> tuple[Ended | None, float]:
    """Run the component when the machine has room for it.

    Returns:
        How it ended, None if the run was cancelled before; and for how many seconds it waited.
    """
    step, began = job.step, time.monotonic()

    def waits_for(what: str) -> None:
        announce(StepWaiting(step.name, what))

    with contextlib.ExitStack() as held:
        if step.gpu:
            one = one_of(gpus, cancelled=context.cancelled, waits_for=waits_for)
            gpu = held.enter_context(one)
            job = replace(job, gpu=gpu and gpu.device)
        lock = machine_lock(
            alone=step.alone,
            run=context.run,
            step=step.name,
            cancelled=context.cancelled,
            waits_for=waits_for,
        )
        held.enter_context(lock)
        waited_s = time.monotonic() - began
        if context.cancelled.is_set():
            return None, waited_s
        if step.opens_sealed:
            sealed = cast("str", ingredients.inputs["dataset"])
            open_sealed(context.cache.store, sealed, context.run, step.name)
        context.attempts[step.name] = job.attempt
        announce(StepStarted(step.name, str(job.log), job.attempt))
        with disk_faults(context.work):
            return context.runner.run(job), waited_s


def _put_record(
    context: Context,
    job: Job,
    ingredients: Ingredients,
    ended: Ended,
    statement: Mapping[str, Any],
    outputs: Mapping[str, str],
    wall_s: float,
) -> str:
    """Keep the record of an execution; return its store key."""
    step = job.step
    exited = {"code": ended.code, "reason": ended.reason, "peak": ended.peak_rss_bytes}
    return put_step_record(
        context.cache.store,
        context.run,
        step.name,
        step_record(
            run=context.run,
            step=step.name,
            engine=context.runner.name,
            ingredients=ingredients,
            outputs=outputs,
            trees={name: context.cache.tree(tree) for name, tree in outputs.items()},
            statement={**statement, "exit": exited},
            image_digest=context.runner.image_digest(step),
            wall_s=wall_s,
        ),
        job.attempt,
    )


def _job(context: Context, step: Step, ingredients: Ingredients) -> Job:
    attempt = context.attempts.get(step.name, 0) + 1
    log = log_file(context.work, step.name, attempt)
    progress = progress_file(context.work, step.name)
    folder = progress.parent
    remove_tree(folder)
    folder.mkdir(parents=True)
    log.parent.mkdir(exist_ok=True)
    readable: list[Path] = []

    def artifact(tree_digest: str) -> dict[str, object]:
        path = context.cache.stage(tree_digest, context.work / "trees" / tree_digest)
        readable.append(path)
        return {"uri": str(path), "metadata": {"digest": tree_digest}}

    inputs: dict[str, object] = {}
    for port, flow in step.inputs.items():
        given = ingredients.inputs[port]
        if isinstance(flow, SourceRef):
            path = context.work / "sources" / step.name / flow.name
            remove_tree(path)
            readable += [path, *stage(context.sources[flow.name], path)]
            inputs[port] = {"artifacts": [{"uri": str(path), "metadata": {"digest": given}}]}
        elif given is not None:
            digests = given if isinstance(given, list) else [given]
            inputs[port] = {"artifacts": [artifact(item) for item in digests]}
    outputs: dict[str, object] = {
        port.name: {"artifacts": [{"uri": str(folder / "out" / port.name), "metadata": {}}]}
        for port in step.interface.outputs
    }
    outputs[STATEMENT] = {"artifacts": [{"uri": str(folder / "statement.json"), "metadata": {}}]}
    executor_input = folder / "input.json"
    executor_input.write_bytes(
        canonical_json(
            {
                "inputs": {"parameterValues": dict(step.parameters), "artifacts": inputs},
                "outputs": {"artifacts": outputs, "outputFile": str(folder / "output.json")},
                PROGRESS: str(progress),
            }
        )
    )
    return Job(step, folder, tuple(dict.fromkeys(readable)), executor_input, log, attempt)


def _statement(job: Job) -> dict[str, Any]:
    """Read what the component's process stated of itself; one that was killed stated nothing.

    Raises:
        UserError: It is there, and the disk or the limits of this process keep it from being read.
    """
    path = job.folder / "statement.json"
    try:
        # Neither a link nor a pipe in its place may lead, or hold up, who reads it.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink() or not _is_readable(path):
            return {}
        with disk_faults(path):
            raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return {}
        with os.fdopen(handle, "rb", closefd=False) as file:
            found = json.load(file)
        canonical_json(found)  # no number that a record cannot hold
    except (ValueError, TypeError, RecursionError):
        return {}
    finally:
        os.close(handle)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _is_provisional(context: Context, step: Step, outputs: Mapping[str, str]) -> bool:
    """Whether the component says in its metrics that its result is not to be kept."""
    for port in step.interface.outputs:
        if port.kind == "Metrics":
            try:
                metrics = json.loads(context.cache.read_file(outputs[port.name], SINGLE))
            except (ValueError, RecursionError):
                return False
            return isinstance(metrics, dict) and is_provisional(cast("dict[str, Any]", metrics))
    return False


def _collect(
    context: Context, job: Job, ingredients: Ingredients, statement: Mapping[str, Any]
) -> dict[str, str]:
    """Store all outputs and hold them against what the component's process states of them.

    Raises:
        _NoResultError: They are not what it states, or not what an output may be.
    """
    try:
        code, _ = statement["code"], float(statement["wall_s"])
        stated = {name: item["digest"] for name, item in statement["outputs"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _NoResultError("ended well, but left no statement that can be read") from None
    if code != ingredients.code:
        raise UserError(
            f"{job.step.name}: the source of {job.step.component} changed while the run went on",
            "run again: what is done stays done",
        )
    outputs: dict[str, str] = {}
    folder = job.folder / "out"
    if folder.is_symlink():
        raise _NoResultError("ended well, but the folder of its outputs is a link")
    for port in job.step.interface.outputs:
        path = folder / port.name
        try:
            outputs[port.name] = context.cache.put_tree(path).digest
        except (ValueError, FileNotFoundError, PermissionError) as error:
            if isinstance(error, PermissionError) and _is_readable(error.filename):
                with disk_faults(path):  # what the disk refuses now, it has not from the step
                    raise
            raise _NoResultError(f"its output {port.name} cannot be kept: {error}") from None
        if path.is_file() != (port.kind in SINGLE_FILE_KINDS):
            raise _NoResultError(f"its output {port.name} is no {port.kind}")
        if outputs[port.name] != stated.get(port.name):
            raise _NoResultError(f"its output {port.name} is not what its statement says")
    return outputs


def _is_readable(path: object) -> bool:
    return isinstance(path, str | Path) and os.access(path, os.R_OK)
