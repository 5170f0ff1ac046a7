"""One step from staged inputs to a durable result."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.execution import CRASHED, OK, USER_FAULT
from components.contract.executor_input import STATEMENT
from components.contract.types import SINGLE_FILE_KINDS
from pipelines.disk.files import disk_faults
from pipelines.disk.folders import remove_tree
from pipelines.engines.engine import StepDone, StepFailed, StepSkipped, StepStarted
from pipelines.engines.machine.admission import machine
from pipelines.runs.cache import Cache, Result
from pipelines.runs.graph import Graph, SourceRef, Step
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import log_key, open_sealed, put_step_record, step_record
from pipelines.sources.snapshot import Source, stage

_FULL_BYTES = 1 << 20

CANCELLED, OUT_OF_MEMORY, OUT_OF_TIME, EXITED = "cancel", "memory", "time", "exit"


@dataclass(frozen=True)
class Ended:
    """How a step's process or container ended.

    Attributes:
        code: Exit code; negative, the signal's number.
        reason: ``EXITED``, or why the engine ended it.
        peak_rss_bytes: Highest resident size of all its processes that was seen.
    """

    code: int
    reason: str
    peak_rss_bytes: int


@dataclass(frozen=True)
class Job:
    """One step, ready to execute.

    Attributes:
        step: Which step.
        folder: Its own writable folder.
        readable: What the executor input names, or links lead to: to be mounted read-only.
        executor_input: Path of the executor input inside ``folder``.
        log: Where the step's output goes: outside ``folder``, where no step can put a link.
    """

    step: Step
    folder: Path
    readable: tuple[Path, ...]
    executor_input: Path
    log: Path


class _NoResultError(Exception):
    """A step ended well, and yet what it left is no result."""


class Runner(Protocol):
    """Executes jobs; one instance a run."""

    name: str

    def prepare(self, graph: Graph) -> None:
        """Check that everything the graph's steps run in is there; start what takes long."""
        ...

    def run(self, job: Job) -> Ended:
        """Execute a job and wait for its end."""
        ...

    def environment(self, step: Step) -> str:
        """Return the digest of the environment that the step runs in, part of its key."""
        ...

    def image_digest(self, step: Step) -> str | None:
        """Return the digest of the image that the step runs in, or None without images."""
        ...

    def cancel(self) -> None:
        """End every job, and those that are still to come."""
        ...

    def close(self) -> None:
        """Leave no process behind."""
        ...


@dataclass(frozen=True)
class Context:
    """What all steps of a run share."""

    runner: Runner
    cache: Cache
    work: Path
    run: str
    sources: Mapping[str, Source]
    cancelled: threading.Event


def execute_step(
    context: Context,
    step: Step,
    ingredients: Ingredients,
    announce: Callable[[StepStarted], None],
) -> StepDone | StepFailed | StepSkipped:
    """Execute a step and make its result durable.

    Args:
        context: The run.
        step: What to execute.
        ingredients: What its key is made of.
        announce: Told when it starts.

    Raises:
        CorruptionError: An input cannot be read from the store as it should be.
        UserError: The store or the disk under the scratch folder fails.
    """
    began = time.monotonic()
    with disk_faults(context.work):
        job = _job(context, step, ingredients)
    with machine(alone=step.alone, cancelled=context.cancelled):
        if context.cancelled.is_set():
            return StepSkipped(step.name)
        if step.opens_sealed:
            sealed = cast("str", ingredients.inputs["dataset"])
            open_sealed(context.cache.store, sealed, context.run, step.name)
        announce(StepStarted(step.name, str(job.log)))
        with disk_faults(context.work):
            ended = context.runner.run(job)
    if ended.reason == CANCELLED:
        return StepSkipped(step.name)
    if job.log.exists():
        context.cache.store.put_if_absent(log_key(context.run, step.name), job.log)
    statement = _statement(job)
    outputs: dict[str, str] = {}
    if ended.code == OK:
        try:
            outputs = _collect(context, job, ingredients, statement)
        except _NoResultError as error:
            ended = replace(ended, code=CRASHED)
            statement |= {"outcome": {"result": "crashed", "what": str(error)}}
    record = put_step_record(
        context.cache.store,
        context.run,
        step.name,
        step_record(
            run=context.run,
            step=step.name,
            engine=context.runner.name,
            ingredients=ingredients,
            outputs=outputs,
            statement=statement
            | {"exit": {"code": ended.code, "reason": ended.reason, "peak": ended.peak_rss_bytes}},
            image_digest=context.runner.image_digest(step),
            wall_s=time.monotonic() - began,
        ),
    )
    if ended.code != OK:
        what, fix, user_fault = _diagnosis(context, job, ended, statement)
        return StepFailed(step.name, what, fix, user_fault, record)
    result = context.cache.commit(
        Result(ingredients.key, outputs, record, float(statement["wall_s"]))
    )
    remove_tree(job.folder)
    return StepDone(
        step.name, result.key, result.outputs, result.record,
        cached=False, function_s=result.function_s, wall_s=time.monotonic() - began,
    )  # fmt: skip


def _job(context: Context, step: Step, ingredients: Ingredients) -> Job:
    folder, log = context.work / "steps" / step.name, context.work / "logs" / step.name
    remove_tree(folder)
    folder.mkdir(parents=True)
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
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
            }
        )
    )
    return Job(step, folder, tuple(dict.fromkeys(readable)), executor_input, log)


def _statement(job: Job) -> dict[str, Any]:
    """Read what the component's process said of itself; one that was killed said nothing."""
    try:
        # Neither a link nor a pipe in its place may lead, or hold up, who reads it.
        handle = os.open(
            job.folder / "statement.json",
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
        )
    except OSError:
        return {}
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


def _collect(
    context: Context, job: Job, ingredients: Ingredients, statement: Mapping[str, Any]
) -> dict[str, str]:
    """Store all outputs and hold them against what the component's process said of them.

    Raises:
        _NoResultError: They are not what it said, or not what an output may be.
    """
    try:
        code, _ = statement["code"], float(statement["wall_s"])
        said = {name: item["digest"] for name, item in statement["outputs"].items()}
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
            raise _NoResultError(f"its output {port.name} cannot be kept: {error}") from None
        if path.is_file() != (port.kind in SINGLE_FILE_KINDS):
            raise _NoResultError(f"its output {port.name} is no {port.kind}")
        if outputs[port.name] != said.get(port.name):
            raise _NoResultError(f"its output {port.name} is not what its statement says")
    return outputs


def _diagnosis(
    context: Context, job: Job, ended: Ended, statement: Mapping[str, Any]
) -> tuple[str, str, bool]:
    """Return what happened, what to do, and whether it is the user's to do."""
    step = job.step
    logs = f"slimline logs {context.run} {step.name}"
    limit = f"limits: {{{step.component}: "
    if ended.reason == OUT_OF_MEMORY:
        peak_gb = ended.peak_rss_bytes / 1e9
        return (
            f"{step.name}: took {peak_gb:.1f} GB of memory, its limit is {step.memory_gb:g} GB",
            f"raise it in the configuration, {limit}{{memory_gb: ...}}}}, or lower the batch",
            True,
        )
    if ended.reason == OUT_OF_TIME:
        return (
            f"{step.name}: ran longer than its limit of {step.time_limit_s / 60:g} minutes",
            f"raise it in the configuration, {limit}{{minutes: ...}}}}, or lower the epochs",
            True,
        )
    outcome = _outcome(statement)
    if ended.code == USER_FAULT and "fix" in outcome:
        return f"{step.name}: {outcome['what']}", outcome["fix"], True
    if not outcome and _is_full(job.folder):
        return (
            f"{step.name}: the disk is full at {context.work}",
            "free some space there; it lies in a store that is a folder, else in ~/.cache/slimline",
            True,
        )
    if ended.code == -signal.SIGKILL:
        return (
            f"{step.name}: was killed by SIGKILL, most likely because memory ran out",
            f"free memory, or lower the batch or the threads; then run again ({logs})",
            True,
        )
    what = outcome.get("what", f"exited with {ended.code}")
    if ended.code < 0:
        what = f"died by signal {-ended.code} ({signal.Signals(-ended.code).name})"
    return f"{step.name}: {what}", logs, False


def _outcome(statement: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what the step said of its end, ``what`` at least; nothing if that is no text."""
    said = statement.get("outcome")
    if not isinstance(said, dict):
        return {}
    told = cast("dict[str, object]", said)
    texts = {name: text for name, text in told.items() if isinstance(text, str)}
    return texts if "what" in texts else {}


def _is_full(folder: Path) -> bool:
    """Whether a disk takes no more: a step that ran out of it could not even say so."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _FULL_BYTES)
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False
