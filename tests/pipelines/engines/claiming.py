"""Engines of their own processes on one store, that are killed and stopped at any moment.

Their steps are quick: what runs them writes what a component would, and notes that it did.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.contract.execution import OK
from components.contract.interface import interface_of
from components.contract.tree import tree_of
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.runner import EXITED, Ended, Job
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Step
from pipelines.runs.keys import ingredients_of
from pipelines.runs.results import CachedResult
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.runners import ENVIRONMENT, InPlaceRunner

LEASE_S = 1.0


class QuickRunner(InPlaceRunner):
    """The ``Runner`` of steps that take a chosen time and leave what tells who ran them.

    Args:
        executions: A file that gets the name of each step as it is begun.
        seconds: How long each takes.
        name: Of the engine.
    """

    def __init__(self, executions: Path, seconds: float, name: str = "quick") -> None:
        self.name = name
        self._executions, self._seconds = executions, seconds

    def run(self, job: Job) -> Ended:
        """See ``Runner``."""
        with self._executions.open("a") as file:
            file.write(f"{job.step.name}\n")
        time.sleep(self._seconds)
        release = job.folder / "out" / "release"
        release.mkdir(parents=True)
        (release / "model.tflite").write_text(f"made by process {os.getpid()}")
        pages = [port.name for port in interface_of(job.step.component).outputs[1:]]
        for name in pages:
            (job.folder / "out" / name).write_text("page")
        outputs = {
            name: {"digest": tree_of(job.folder / "out" / name).digest}
            for name in ("release", *pages)
        }
        code = ingredients_of(job.step, {}, ENVIRONMENT).code
        statement = {"code": code, "wall_s": self._seconds, "outputs": outputs}
        (job.folder / "statement.json").write_text(json.dumps(statement))
        return Ended(OK, EXITED, 0)


def quick_graph(names: Sequence[str]) -> Graph:
    """Return a graph of steps that have nothing to do with each other."""
    steps = (Step(name, "publish", {}, {"name": name}, 0.01, 60.0) for name in names)
    return Graph("quick", tuple(steps), {})


class Engine:
    """A process that forks an engine for each graph that it is told to run."""

    def __init__(self, uri: str, folder: Path, name: str) -> None:
        self.name, self.run, self.pid, self._folder = name, 0, 0, folder
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.engines.claiming", uri, str(folder), name],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._host.stdout
        return self._host.stdout.readline().strip()

    def start(self, steps: Sequence[str], seconds: float) -> None:
        """Begin a run of these steps."""
        assert self._host.stdin
        self.run += 1
        self._host.stdin.write(json.dumps([f"{self.name}-{self.run}", list(steps), seconds]) + "\n")
        self._host.stdin.flush()
        self.pid = int(self._line())

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the engine of the run in progress a signal; it may just have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ended(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for the end of the run; return its exit code and its events, if it told them."""
        code = int(self._line())
        told = self._folder / f"{self.name}-{self.run}.json"
        return code, json.loads(told.read_text()) if told.exists() else []

    def close(self) -> None:
        """End both processes."""
        if self._host.poll() is None:
            if self.pid:
                self.kill()
            self._host.kill()
        self._host.communicate()


@contextlib.contextmanager
def engines(uri: str, folder: Path, *names: str) -> Generator[list[Engine]]:
    """Give engines on one store, each with a scratch folder of its own below ``folder``."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        made: list[Engine] = []
        for name in names:
            made.append(Engine(uri, folder, name))
            stack.callback(made[-1].close)
        yield made


def executions(folder: Path) -> Counter[str]:
    """Return how often each step was begun."""
    noted = folder / "executions"
    return Counter(noted.read_text().split()) if noted.exists() else Counter()


def entries(store: Store) -> dict[str, CachedResult]:
    """Return the action cache."""
    return {key: CachedResult(**json.loads(store.get(key))) for key in store.list("ac/")}


def kill_loop(uri: str, folder: Path, kills: int, seed: int) -> list[str]:
    """Kill, or stop for longer than a lease, one of two engines at a random moment, again and again.

    Each time both run the same new steps. What is promised is asserted: the other one ends with
    all results, every step was begun once, and at most once more as one was killed; there is one
    entry a step, which never changed; the next run has nothing to do and no claim is left.

    Args:
        uri: The store.
        folder: For scratch and notes.
        kills: How often.
        seed: Of the moments.

    Returns:
        A table: what was done to an engine, how often, and how many steps ran twice for it.
    """
    chance = random.Random(seed)
    store = open_store(uri)
    done: Counter[str] = Counter()
    twice: Counter[str] = Counter()
    slowest_s = 0.0
    with engines(uri, folder, "one", "two") as pair:
        for index in range(kills):
            steps = [f"s{index}-{n}" for n in range(3)]
            for engine in pair:
                engine.start(steps, 0.2)
            victim, other = chance.sample(pair, 2)
            time.sleep(chance.uniform(0.0, 1.0))
            stop = chance.random() < 0.2
            before, began = executions(folder), time.monotonic()
            victim.kill(signal.SIGSTOP if stop else signal.SIGKILL)
            code, events = other.ended()
            slowest_s = max(slowest_s, time.monotonic() - began)
            assert code == 0, f"kill {index}: the other engine ended with {code}"
            first = entries(store)
            results = {event["step"]: event for event in events if event["kind"] == "StepDone"}
            assert set(results) == set(steps)
            victim.kill(signal.SIGCONT)
            code, _ = victim.ended()
            assert code in ((0,) if stop else (0, -signal.SIGKILL))
            after = executions(folder)
            more = {step: after[step] - 1 for step in steps if after[step] > 1}
            assert sum(more.values()) <= len(steps), f"kill {index}: {more}"
            assert all(count == 1 for count in more.values()), f"kill {index}: {more}"
            assert before <= after
            assert entries(store) == first, f"kill {index}: an entry changed"
            assert len(first) == 3 * (index + 1)
            for step, event in results.items():
                found = first[f"ac/{event['key']}.json"]
                assert found.record == event["record"], f"kill {index}: {step}"
                assert store.stat(found.record)
            other.start(steps, 0.05)
            code, again = other.ended()
            assert code == 0
            assert all(event["cached"] for event in again)
            assert executions(folder) == after
            assert list(store.list("claims/")) == []
            kind = "stopped" if stop else "killed"
            done[kind] += 1
            twice[kind] += sum(more.values())
    return [f"seed {seed}, {uri.partition(':')[0] if '://' in uri else 'directory'}"] + [
        f"  {kind}: {count} times, {twice[kind]} steps ran twice" for kind, count in done.items()
    ] + [f"  the other engine ended at most {slowest_s:.1f} s later"]  # fmt: skip


def _main(uri: str, folder: Path, name: str) -> None:
    import google.cloud.storage  # noqa: F401 once, before the forks

    print("ready", flush=True)
    for line in sys.stdin:
        run, steps, seconds = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(uri, folder, name, run, steps, seconds)
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(uri: str, folder: Path, name: str, run: str, steps: Sequence[str], seconds: float) -> None:
    store = open_store(uri, cache=folder / f"cache-{name}")
    runner = QuickRunner(folder / "executions", seconds, name)
    with scratch_folder(folder / f"scratch-{name}", run) as work:
        scheduler = Scheduler(runner, Cache(store, work), work, lease_s=LEASE_S)
        events = [
            {"kind": type(event).__name__, **asdict(event)}
            for event in scheduler.submit(quick_graph(steps), {}, run)
        ]
    (folder / f"{run}.json").write_text(json.dumps(events))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
