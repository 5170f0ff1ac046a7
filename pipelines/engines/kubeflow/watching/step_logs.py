"""Logs of steps: what the launcher kept of them in the pipeline root, and what the server reads.

The launcher uploads what a component printed beside its outputs: always after success, from 2.16 on
after a failure, too, one object for each attempt. Where nothing lies there, the server reads the
pod as long as the cluster has it, and what its archive kept of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components.contract.execution import EXIT_LINE, USER_FAULT
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.watching.pods import Pod, pods_of
from pipelines.stores.store import KeyMissing, Store

_KEPT = re.compile(r"[^/]+/executor-logs(-(?P<attempt>\d+))?")
_CODE = re.compile(re.escape(EXIT_LINE).replace(r"\{\}", r"(\d+)"))
_FIX = "  fix: "
_SHOWN_CHARACTERS_MAX = 2000


@dataclass(frozen=True)
class LastWords:
    """How a step's log ends.

    Attributes:
        code: The step's exit code; None where it did not come to say it, because it was killed.
        what: What it said last.
        fix: What it said the user can do, or empty.
    """

    code: int | None
    what: str
    fix: str = ""

    @classmethod
    def of(cls, log: str) -> LastWords:
        """Read the end of a log."""
        lines = log.rstrip().splitlines()
        found = _CODE.fullmatch(lines[-1]) if lines else None
        code = int(found[1]) if found else None
        if found:
            lines.pop()
        if code not in (USER_FAULT, None):
            return cls(code, lines[-1][:_SHOWN_CHARACTERS_MAX] if lines else "")
        # As ``UserError`` is printed: what is wrong, its further lines indented, and the fix.
        fixes = [number for number, line in enumerate(lines) if line.startswith(_FIX)]
        if not fixes or (found is None and fixes[-1] != len(lines) - 1):
            return cls(code, lines[-1][:_SHOWN_CHARACTERS_MAX] if lines else "")
        first = fixes[-1] - 1
        while first > 0 and lines[first].startswith("  "):
            first -= 1
        what = "\n".join(lines[max(first, 0) : fixes[-1]])[-_SHOWN_CHARACTERS_MAX:]
        fix = "\n".join(lines[fixes[-1] :]).removeprefix(_FIX)
        return cls(USER_FAULT, what, fix)  # images of earlier versions print no code


class StepLogs:
    """The logs of one run's steps.

    Args:
        connection: The API server.
        root: The pipeline root.
        pipeline: Name of the pipeline.
        kfp_run: Kubeflow's identifier of the run.
    """

    def __init__(self, connection: Connection, root: Store, pipeline: str, kfp_run: str) -> None:
        self._connection = connection
        self._root = root
        self._prefix = f"{pipeline}/{kfp_run}/"
        self._kfp_run = kfp_run

    def of_step(self, run: Resource, step: str) -> str | None:
        """Return the log of a step's newest attempt, or None where nobody has it any more.

        Args:
            run: The run as the API tells of it.
            step: Name of the step.
        """
        kept = self.kept(step)
        return self.of_task(run, step) if kept is None else kept

    def of_task(self, run: Resource, task: str, *, importer: bool = False) -> str | None:
        """Return what the server reads of a task's newest pod; see ``pods_of``."""
        for pod in pods_of(run, task, importer=importer):
            for name in pod.names:
                if (log := self._connection.log_of(self._kfp_run, name)) is not None:
                    return log
        return None

    def kept(self, step: str) -> str | None:
        """Return what the pipeline root has of a step's newest attempt."""
        key = newest_log(self._root, f"{self._prefix}{step}/")
        if key is None:
            return None
        try:
            return self._root.get(key).decode(errors="replace")
        except KeyMissing:
            return None

    def newest_pod(self, run: Resource, task: str, *, importer: bool = False) -> Pod | None:
        """Return the newest pod of a task, as far as its name can be known."""
        return next(iter(pods_of(run, task, importer=importer)), None)


def newest_log(root: Store, prefix: str, salt: str = "") -> str | None:
    """Return where the log of a task's newest attempt lies.

    Args:
        root: The pipeline root.
        prefix: The task's folder below it, which holds a folder for each time its driver ran.
        salt: Name of the one that counts; empty: all do.
    """
    found: list[tuple[int, int, str]] = []
    for key in root.list(f"{prefix}{salt}"):
        if kept := _KEPT.fullmatch(key.removeprefix(prefix)):
            stat = root.stat(key)
            # A bucket's versions grow with time; a retried run begins to count attempts anew.
            version = stat.version if stat else ""
            written = int(version) if version.isdigit() else 0
            found.append((written, int(kept["attempt"] or 0), key))
    return max(found)[2] if found else None
