"""What happened to a step that failed, and what the user can do about it."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from components.contract.execution import USER_FAULT
from pipelines.engines.machine.runner import OUT_OF_MEMORY, OUT_OF_TIME, Ended, Job

_FULL_BYTES = 1 << 20


def diagnose(
    run: str, work: Path, job: Job, ended: Ended, statement: Mapping[str, Any]
) -> tuple[str, str, bool]:
    """Return what happened, what to do, and whether it is the user's to do.

    Args:
        run: Identifier of the run.
        work: Its scratch folder.
        job: The step that failed.
        ended: How its process ended.
        statement: What it wrote about itself; empty where it did not get to that.
    """
    step = job.step
    logs = f"slimline logs {run} {step.name}"
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
            f"{step.name}: the disk is full at {work}",
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
    """Return how the step states that it ended, ``what`` at least; nothing if that is no text."""
    stated = statement.get("outcome")
    if not isinstance(stated, dict):
        return {}
    items = cast("dict[str, object]", stated).items()
    texts = {name: text for name, text in items if isinstance(text, str)}
    return texts if "what" in texts else {}


def _is_full(folder: Path) -> bool:
    """Whether a disk takes no more: a step that ran out of it could not even say so."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _FULL_BYTES)
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False
