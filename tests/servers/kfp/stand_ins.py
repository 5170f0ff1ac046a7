"""Steps carried out by stand-ins: the contract of a container is kept, its function is not run.

What a function would have written comes from a run of the local engine: the outputs of the step of
that name, or of another step of its component. Everything around it is the product's own: how the
executor input is read, inputs are checked, the statement is written and the exit code said.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from components.contract.errors import UserError
from components.contract.interface import function_of
from components.contract.tree import SINGLE
from pipelines.runs.cache import Cache
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.servers.kfp.mounted import ENTRIES, mounts_below, rooted
from tests.servers.kfp.pods import Pod, keep

_ONE_AT_A_TIME = threading.Lock()  # the entry point is made for a process of its own


@dataclass
class StandIns:
    """What steps write, from a store with a run of the local engine.

    Attributes:
        store: Of that run.
        run: Its identifier.
        real: Components whose own functions run.
        faults: By step what its function raises instead, once for each execution.
    """

    store: Path
    run: str | None = None
    real: Collection[str] = ()
    faults: dict[str, list[Exception]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        opened = open_store(str(self.store))
        self._cache = Cache(opened, self.store / "tmp" / "stand-ins")
        record = read_run(opened, self.run)
        self._outputs: Mapping[str, Mapping[str, str]] = {
            name: step["outputs"] for name, step in record.steps.items()
        }

    def pod(self, folder: Path, task: str) -> StandInPod:
        """Return what carries out one step."""
        return StandInPod(folder, task, self)

    def function(self, component: str, task: str) -> Callable[..., None]:
        """Return what takes the place of a component's function in a step."""
        if self.faults.get(task):
            raise self.faults[task].pop(0)
        if component in self.real:
            return function_of(component)
        step = task if task in self._outputs else self._like(component)

        def write(**arguments: Any) -> None:
            for output, digest in self._outputs[step].items():
                self._write(digest, arguments[output])

        return write

    def _like(self, component: str) -> str:
        found = next((n for n in self._outputs if n.partition("-")[0] == component), None)
        if found is None:
            raise LookupError(f"the local run has no step of {component}")
        return found

    def _write(self, digest: str, path: Path) -> None:
        tree = self._cache.tree(digest)
        for entry in tree.entries:
            file = path if entry.path == SINGLE else path / entry.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._cache.read_file(digest, entry.path))


@dataclass
class StandInPod(Pod):
    """The entry point of the images in this process, with a stand-in for the component's function."""

    task: str
    stand_ins: StandIns

    def run(
        self, image: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> int:
        assert list(command[:2]) == ["python", "-m"], command
        arguments = rooted(list(command[3:]), self.folder)
        printed = io.StringIO()
        logger = logging.getLogger("components")
        handlers = list(logger.handlers)

        def function(component: str) -> Callable[..., None]:
            return self._raising(component)

        with _ONE_AT_A_TIME, ExitStack() as stack:
            stack.enter_context(mounts_below(self.folder))
            stack.enter_context(redirect_stdout(printed))
            stack.enter_context(redirect_stderr(printed))
            stack.enter_context(mock.patch("components.contract.execution.function_of", function))
            try:
                code = ENTRIES[command[2]](arguments)
            finally:
                logger.handlers[:] = handlers
        keep(printed.getvalue().encode(), log)
        return code

    def _raising(self, component: str) -> Callable[..., None]:
        """Return the stand-in; a fault is raised where the function would have raised it."""
        try:
            return self.stand_ins.function(component, self.task)
        except Exception as error:  # noqa: BLE001 whatever a test planned
            raised = error

        def fail(**_: Any) -> None:
            raise raised

        return fail


def refused(what: str = "too little data", fix: str = "add images") -> UserError:
    """Return a user's fault as a component raises it."""
    return UserError(what, fix)
