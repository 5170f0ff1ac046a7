"""What steps print: kept in the store when they end, read on this machine while they run."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from components.contract.errors import UserError, suggest
from pipelines.runs.records import Problem, RunRecord, read_run, read_value
from pipelines.runs.workspace import machine_name
from pipelines.stores.layout import log_key, step_of_record, step_record_key
from pipelines.stores.store import KeyMissing, Store

_LOG = re.compile(r"(?P<step>[^.]+)\.(?P<attempt>[0-9]{1,9})\.log")
_POLL_S = 0.5
_PART_BYTES = 1 << 16


def log_file(work: Path, step: str, attempt: int) -> Path:
    """Return where what a step prints lies while its run goes on.

    Args:
        work: The run's scratch folder.
        step: Name of the step.
        attempt: From 1.
    """
    return work / "logs" / f"{step}.{attempt}.log"


def read_log(
    store: Store, run: str | None, step: str, problems: list[Problem] | None = None
) -> str:
    """Return what a step has printed; of a cached step, what it printed when it was executed.

    Args:
        store: Where the run is.
        run: Identifier of the run; None is the newest.
        step: Name of the step.
        problems: See ``read_run``.

    Raises:
        UserError: There is no such run or step, or it never ran.
    """
    record = read_run(store, run, problems)
    if path := _live(record, step):
        try:
            return path.read_bytes().decode(errors="replace")
        except OSError:  # the run has just ended, and its log is in the store
            record = read_run(store, record.run)
    return _stored(store, record, step)


def follow_log(
    store: Store, run: str | None, step: str, problems: list[Problem] | None = None
) -> Generator[str]:
    """Yield what a step prints, as it comes, until the step has ended.

    Args:
        store: Where the run is.
        run: Identifier of the run; None is the newest.
        step: Name of the step, which need not have started.
        problems: See ``read_run``.

    Raises:
        UserError: There is no such run or step, or it ended without having run.
    """
    record = read_run(store, run, problems)
    opened: tuple[Path, BinaryIO] | None = None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        while True:
            _check_known(record, step)
            path = _live(record, step)
            if path and (opened is None or opened[0] != path):
                if opened:  # the next attempt has begun
                    yield from _rest(opened[1], decoder)
                    opened[1].close()
                opened = _opened(path)
            over = record.outcome != "running" or _has_ended(record, step)
            if opened:
                yield from _rest(opened[1], decoder)
            if over:
                break
            time.sleep(_POLL_S)
            record = read_run(store, record.run)
        if opened is None:
            yield _stored(store, record, step)
    finally:
        if opened:
            opened[1].close()


def _opened(path: Path) -> tuple[Path, BinaryIO] | None:
    try:
        return path, path.open("rb")
    except OSError:  # gone with its run
        return None


def _rest(file: BinaryIO, decoder: codecs.IncrementalDecoder) -> Generator[str]:
    while part := file.read(_PART_BYTES):
        yield decoder.decode(part)


def _has_ended(record: RunRecord, step: str) -> bool:
    return record.steps.get(step, {}).get("state") not in ("waiting", "running", None)


def _live(record: RunRecord, step: str) -> Path | None:
    """Return the log of the step's newest attempt, if the run's folder is on this machine."""
    logs = live_logs(record, step)
    return logs[max(logs)] if logs else None


def live_logs(record: RunRecord, step: str) -> dict[int, Path]:
    """Return the logs of a step by attempt, if the run's folder is on this machine.

    Args:
        record: Of the run.
        step: Name of the step.
    """
    if record.machine != machine_name() or not record.work:
        return {}
    folder = Path(record.work) / "logs"
    try:
        logs = [_LOG.fullmatch(path.name) for path in folder.iterdir()]
    except (OSError, ValueError):  # the run has ended, or never began
        return {}
    attempts = [int(log["attempt"]) for log in logs if log and log["step"] == step]
    return {attempt: log_file(Path(record.work), step, attempt) for attempt in attempts}


def stored_logs(record: RunRecord, step: str) -> dict[int, tuple[str, str]]:
    """Return where the store keeps the logs of a step: by attempt its key, and the run's name.

    Of a cached step it is what the execution printed whose result was taken. Not all of them need
    be there.
    """
    state = record.steps.get(step, {})
    executed = state.get("record") or step_record_key(record.run, step, state.get("attempt", 1))
    run, name, latest = step_of_record(executed)
    earlier = range(1, latest) if run == record.run else ()
    return {attempt: (log_key(run, name, attempt), run) for attempt in (*earlier, latest)}


def _stored(store: Store, record: RunRecord, step: str) -> str:
    """Return what the store keeps of a step's output.

    Raises:
        UserError: Nothing, and why.
    """
    state = record.steps.get(step, {})
    kept = stored_logs(record, step)
    try:
        return read_value(store, kept[max(kept)][0]).decode(errors="replace")
    except KeyMissing:
        _check_known(record, step)
    follow = f"slimline logs {record.run} {step} --follow"
    match state.get("state"):
        case "waiting":
            raise UserError(f"{step} of run {record.run} has not started yet", f"{follow} waits")
        case "running" if record.machine != machine_name():
            raise UserError(
                f"{step} runs on {record.machine}; its log comes into the store when it ends",
                f"look there, or {follow} waits for it",
            )
        case "skipped":
            raise UserError(
                f"run {record.run} has no log of {step}: it was skipped, because "
                f"{state.get('because') or 'the run did not come to it'}",
                "slimline logs of the step that failed, or run again",
            )
        case other:
            raise UserError(
                f"run {record.run} has no log of {step}, which is {other}",
                "run again: the next run keeps one",
            )


def _check_known(record: RunRecord, step: str) -> None:
    if step not in record.steps:
        raise UserError(
            f"run {record.run} has no log of a step {step!r}", suggest(step, record.steps)
        )
