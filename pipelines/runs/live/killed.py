"""Runs whose engine was killed on this machine: what they left is recorded before it is swept."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.disk.scratch import is_held
from pipelines.runs.joined_records import join_records
from pipelines.runs.live.logs import log_file
from pipelines.runs.live.progress import read_progress
from pipelines.runs.moments import now
from pipelines.runs.records import RunRecord, put_finished, read_run
from pipelines.runs.step_records import unexecuted_record
from pipelines.runs.workspace import workspace_root
from pipelines.stores.layout import log_key, run_key, started_key, step_record_key
from pipelines.stores.store import Store, is_key


def record_killed(store: Store) -> list[str]:
    """Record how runs of this machine ended that could not do so themselves.

    Their scratch folders are still there: whoever gets one next sweeps them.

    Returns:
        Identifiers of the runs.
    """
    recorded: list[str] = []
    for lock in sorted(workspace_root(store).glob("*.lock")):
        work = lock.with_suffix("")
        try:
            if is_held(work):
                continue
        except OSError:  # another user's
            continue
        if is_key(started_key(work.name)) and _record(store, work):
            recorded.append(work.name)
    return recorded


def _record(store: Store, work: Path) -> bool:
    """Record one run; False where the store knows no such run, or how it ended."""
    run = work.name
    if store.stat(started_key(run)) is None or store.stat(run_key(run)) is not None:
        return False
    try:
        record = read_run(store, run)
    except UserError:  # damaged: ``slimline runs`` names it
        return False
    if record.outcome not in ("broken", "cancelled"):
        return False
    _put_logs(store, record, work)
    steps = {
        name: {**step, "record": _put_step(store, record, name)}
        if step["state"] in ("killed", "skipped") and not step.get("record")
        else step
        for name, step in record.steps.items()
    }
    progress = read_progress(store, run)
    put_finished(store, replace(record, steps=steps, finished=progress.at if progress else now()))
    join_records(store, run)
    return True


def _put_logs(store: Store, record: RunRecord, work: Path) -> None:
    """Keep what the killed steps had printed."""
    for name, step in record.steps.items():
        attempt = step.get("attempt")
        if step["state"] == "killed" and isinstance(attempt, int):
            # Another engine that begins now sweeps the same folder.
            with contextlib.suppress(FileNotFoundError):
                store.put_if_absent(
                    log_key(record.run, name, attempt), log_file(work, name, attempt)
                )


def _put_step(store: Store, record: RunRecord, name: str) -> str:
    step = record.steps[name]
    given = step.get("attempt")
    attempt = given if isinstance(given, int) else 1
    key = step_record_key(record.run, name, attempt)
    content = unexecuted_record(
        run=record.run, step=name, component=str(step.get("component", "")), engine=record.engine,
        result=step["state"], because=record.fault or "",
    )  # fmt: skip
    store.put_if_absent(key, canonical_json(content))
    return key
