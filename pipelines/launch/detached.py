"""Detached runs: a process of its own that nothing of the one that starts it can end.

It is a session of its own without a terminal, so neither Ctrl-C nor the end of its starter reaches
it. What it prints goes to a file of this machine; what becomes of it stands in the store. Only of
one that ended before its run began does the store know nothing: that file says why.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.engines.engine import Cluster
from pipelines.runs.actor import VARIABLE
from pipelines.runs.records import new_run_id, run_ids
from pipelines.stores.layout import run_key, started_key
from pipelines.stores.store import Store

_KEPT_S = 30 * 86400
"""Files of what runs printed are kept for so long after the last line."""

_LATELY_S = 86400
_LINES, _TAIL_BYTES = 20, 8192


@dataclass(frozen=True)
class Order:
    """A run that is to be started.

    Attributes:
        config: Its configuration file.
        store: Address of the store.
        actor: Who wants it.
        engine: Which engine.
        cluster: Where, for an engine that is not of this machine.
        output: Where release and report are exported; None: ``slimline-out/<name>``.
    """

    config: Path
    store: str
    actor: str
    engine: str = "local"
    cluster: Cluster | None = None
    output: Path | None = None


@dataclass(frozen=True)
class DetachedState:
    """How it stands with a run that this machine has started.

    Attributes:
        what: ``not yet``: its process lives and reads its data; ``started``: the store knows it;
            ``died``: its process ended before that.
        log: Holds what its process printed.
        lines: The last of it, where it died.
    """

    what: Literal["not yet", "started", "died"]
    log: Path
    lines: str = ""


def start(order: Order) -> str:
    """Start a run that goes on whatever becomes of this process, and return its identifier.

    Its process is ``slimline run``, and does all that this does.

    Raises:
        UserError: The configuration is not valid, or no process can be started.
    """
    run = new_run_id(load(order.config).name)
    log = _log(run)
    with disk_faults(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        _sweep(log.parent)
        output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        # Held by whoever has this open: by the process and what it starts, to their end.
        fcntl.flock(output, fcntl.LOCK_EX)
        process = subprocess.Popen(
            _command(order, run),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, VARIABLE: order.actor},
            start_new_session=True,
        )
    except OSError as error:
        log.unlink(missing_ok=True)
        raise UserError(
            f"no process can be started for {run}: {error.strerror}",
            "look what else runs on this machine, and how much memory it has left",
        ) from error
    finally:
        os.close(output)
    threading.Thread(target=process.wait, name=f"started {run}", daemon=True).start()
    return run


def state(store: Store, run: str) -> DetachedState | None:
    """Return how it stands with a run that ``start`` started; None where this machine did not.

    Raises:
        UserError: The store fails.
    """
    if not run_ids().fullmatch(run) or "/" in run:
        return None
    log = _log(run)
    try:
        handle = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        lives = _is_held(file.fileno())  # asked first: it may begin, and end, meanwhile
        if any(store.stat_many([started_key(run), run_key(run)])):
            return DetachedState("started", log)
        if lives:
            return DetachedState("not yet", log)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return DetachedState("died", log, "\n".join(lines[-_LINES:]))


def signs() -> tuple[object, ...]:
    """Return what changes with how it stands with the runs that this machine has started lately."""
    found: list[object] = []
    for path in sorted(_folder().glob("*.log")):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime < _LATELY_S:
                found.append((path.name, _is_held(file.fileno())))
    return tuple(found)


def refuse_dead(store: Store, run: str) -> None:
    """Say why a run that ``start`` started never began, if that is so.

    Raises:
        UserError: It is, with the last that it printed.
    """
    found = state(store, run)
    if found and found.what == "died":
        said = found.lines.strip() or "it printed nothing"
        raise UserError(f"the run {run} ended before it began: {said}", f"look into {found.log}")


def _command(order: Order, run: str) -> list[str]:
    words = [sys.executable, "-m", "pipelines.cli", "run", str(order.config.absolute())]
    words += ["--store", order.store, "--engine", order.engine, "--run-id", run]
    if order.output:
        words += ["--output", str(order.output)]
    cluster = order.cluster or Cluster()
    for option in ("host", "namespace", "project", "location"):
        if value := getattr(cluster, option):
            words += [f"--{option}", value]
    return [*words, *(cluster.auth.options if cluster.auth else ())]


def _folder() -> Path:
    return cache_folder() / "started"


def _log(run: str) -> Path:
    return _folder() / f"{run}.log"


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _sweep(folder: Path) -> None:
    """Remove what runs printed long ago."""
    for path in folder.glob("*.log"):
        if path.stat().st_mtime < time.time() - _KEPT_S:
            path.unlink(missing_ok=True)
