"""A store with a whole run, to be copied, damaged, and run on again within seconds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pipelines.cli.command_line import slimline, written

CHEAP = ("select", "publish")
"""Steps that take a second and load no framework."""

_LIMIT_S = 120.0


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def fault(self) -> str:
        """Return why this is no clean end; empty if it is one."""
        if "Traceback" in self.error or self.code == 1:
            return f"exit code {self.code}, {self.error.strip()[-600:]!r}"
        if self.code == 2 and not ("error:" in self.error and "fix:" in self.error):
            return f"exit code 2 without a word: {self.error.strip()[-300:]!r}"
        return ""


class Prepared:
    """A run that is done, in a folder; tries get copies of it.

    Args:
        folder: For the run and all copies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._tries = folder, 0
        os.environ["HOME"] = str(folder / "home")
        # A machine lock of its own: other engines of this user keep no try waiting.
        (folder / "runtime").mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(folder / "runtime")
        os.environ.pop("XDG_CACHE_HOME", None)
        config = written(folder / "faults.yaml", name="faults")
        self.arguments = ("run", str(config), "--store", "store", "--output", "out")
        (folder / "first").mkdir()
        slimline(*self.arguments, cwd=folder / "first", check=0)
        (record,) = (folder / "first" / "store" / "runs").glob("*/run.json")
        self.steps: dict[str, dict[str, Any]] = json.loads(record.read_bytes())["steps"]
        self.model = _sha256(folder / "first" / "out" / "model.tflite")
        _import_all()

    def copy(self, *forgotten: str) -> Path:
        """Return a working folder with a copy of the store that lacks the results of some steps."""
        self._tries += 1
        folder = self._folder / f"try-{self._tries}"
        folder.mkdir()
        shutil.copytree(self._folder / "first" / "store", folder / "store")
        for step in forgotten:
            (folder / "store" / "ac" / f"{self.steps[step]['key']}.json").unlink()
        return folder

    def fault_of_end(self, folder: Path, said: Said) -> str:
        """Return why a run has not ended with its full and right result; empty if it has."""
        if said.code != 0:
            return f"exit code {said.code}: {said.error.strip()[-600:]!r}"
        manifest = json.loads((folder / "out" / "manifest.json").read_bytes())
        found = _sha256(folder / "out" / "model.tflite")
        if not found == self.model == manifest["sha256"]:
            return "the exported model is another one"
        return ""


def command(
    folder: Path,
    arguments: Sequence[str],
    *,
    prepare: Callable[[], None] = lambda: None,
    finish: Callable[[], None] = lambda: None,
    kill_after_s: float | None = None,
) -> Said:
    """Call ``slimline`` in a fork of this process, which has imported it; frameworks are not.

    Args:
        folder: Where it works.
        arguments: Of the command.
        prepare: Called in the fork before the command.
        finish: Called in the fork after it.
        kill_after_s: Seconds after which it is killed, if it has not ended.
    """
    for name in ("stdout", "stderr", "traceback"):
        (folder / name).unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _be_command(folder, arguments, prepare, finish)
    deadline = time.monotonic() + (_LIMIT_S if kill_after_s is None else kill_after_s)
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.005)
    out, error, raised = (
        (folder / name).read_text(errors="replace") if (folder / name).exists() else ""
        for name in ("stdout", "stderr", "traceback")
    )
    return Said(os.waitstatus_to_exitcode(status), out, error + raised)


def _be_command(
    folder: Path,
    arguments: Sequence[str],
    prepare: Callable[[], None],
    finish: Callable[[], None],
) -> None:
    from pipelines.cli.main import main

    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
            os.close(opened)
        prepare()
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        code = main(arguments)
        finish()
    except BaseException:  # noqa: BLE001 what a shell would see of it
        # Not on standard error, which may be closed.
        (folder / "traceback").write_text(traceback.format_exc())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)


def _import_all() -> None:
    """Import what commands import when they need it, so that forks find it."""
    import pipelines.cli.live
    import pipelines.cli.main
    import pipelines.engines.machine.local
    import pipelines.engines.machine.scheduler
    import pipelines.launch.launching
    import pipelines.sources.snapshot
    import pipelines.stores.opening  # noqa: F401


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
