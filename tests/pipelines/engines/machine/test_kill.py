"""kill -9 of the engine between any two store operations: the next run finishes the work."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from components.contract.interface import interface_of
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.local import LocalRunner
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, SourceRef, Step
from pipelines.runs.live.events import StepDone, StepStarted
from pipelines.sources.snapshot import snapshot
from pipelines.stores.opening import open_store

PLAIN = {"train": ("pydantic", "numpy"), "device": ("pydantic",), "light": ("pydantic",)}
COUNTED = ("put_if_absent", "replace_if_match", "get", "fetch", "stat", "delete_if_match")


class CountingStore:
    """Counts operations of the store it wraps, and kills this process before the chosen one."""

    def __init__(self, store, kill_at=None):
        self._store, self._kill_at = store, kill_at
        self.done = []

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name not in COUNTED:
            return method

        def counted(key, *arguments, **options):
            if key.startswith("claims/") and name in ("stat", "get"):
                return method(key, *arguments, **options)  # the write that follows is counted
            if len(self.done) == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.done.append(f"{name} {key.split('/')[0]}")
            return method(key, *arguments, **options)

        return counted

    def put_many(self, items):
        return tuple(self.put_if_absent(key, data) for key, data in items)

    def fetch_many(self, items, *, link=False):
        return tuple(self.fetch(key, path, link=link) for key, path in items)

    def stat_many(self, keys):
        return tuple(self.stat(key) for key in keys)


def write_data(folder):
    """The smallest data that ingest takes."""
    data = folder / "pixels.csv"
    data.write_text("".join(f"{i},{i + 1},{i + 2},{i + 3},{i % 2}\n" for i in range(60)))
    return data


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return snapshot(str(write_data(tmp_path_factory.mktemp("data"))))


def graph_of(**seeds):
    """A graph of steps that have nothing to do with each other, by name with their seeds."""

    def step(name, seed):
        parameters = interface_of("ingest").complete(
            {
                "task": "classification",
                "height": 2,
                "width": 2,
                "channels": 1,
                "maximum": 63,
                "split_by": "image",
                "label_column": "last",
                "threads": os.cpu_count(),
                "seed": seed,
            },
            where="test",
        )
        return Step(name, "ingest", {"source": SourceRef("data")}, parameters, 4.0, 60.0)

    return Graph(
        "killed", tuple(step(name, seed) for name, seed in seeds.items()), {"data": "unused"}
    )


@pytest.fixture(scope="module")
def graph():
    return graph_of(one=0, two=1)


def walk(uri, cache_folder, graph, source, scratch, run, kill_at=None):
    """Run the graph; return its events and the store operations."""
    store = CountingStore(open_store(uri, cache=cache_folder), kill_at)
    with scratch_folder(scratch, run) as work:
        engine = Scheduler(LocalRunner(PLAIN), Cache(store, work), work)
        events = list(engine.submit(graph, {"data": source}, run))
    return events, store.done


def killed(*arguments):
    """Do the same in a child process that kills itself; True when it did not live to the end."""
    child = os.fork()
    if not child:
        os.setsid()
        walk(*arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def orphans(scratch):
    """Steps that still run in the scratch folder of a killed engine."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(scratch):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def finished(uri, cache_folder):
    return {
        key.removeprefix("ac/").removesuffix(".json")
        for key in open_store(uri, cache=cache_folder).list("ac/")
    }


@pytest.mark.parametrize(
    "every", [3, pytest.param(1, marks=pytest.mark.slow)], ids=["sample", "each"]
)
def test_the_run_survives_a_kill_at_a_store_operation(
    store_uri, graph, source, tmp_path, capsys, every
):
    scratch = tmp_path / "scratch"
    reference, operations = walk(
        store_uri("reference"), tmp_path / "cache", graph, source, scratch, "r"
    )
    expected = {event.step: event.outputs for event in reference if isinstance(event, StepDone)}
    assert set(expected) == {"one", "two"}, reference
    table = []
    last = len(operations) - 1
    chosen = sorted({*range(0, last, every), last})
    for index in chosen:
        uri, folder = store_uri(f"killed-{index}"), tmp_path / f"cache-{index}"
        if not killed(uri, folder, graph, source, scratch, f"k{index}", index):
            pytest.fail(f"not killed at {index} of {last}")
        deadline = time.monotonic() + 10
        while left := orphans(scratch):
            assert time.monotonic() < deadline, f"killed at {index}: {left} live on"
            time.sleep(0.02)
        durable = finished(uri, folder)
        events, _ = walk(uri, folder, graph, source, scratch, f"f{index}")
        done = {event.step: event for event in events if isinstance(event, StepDone)}
        assert {name: event.outputs for name, event in done.items()} == expected
        started = {event.step for event in events if isinstance(event, StepStarted)}
        for name, event in done.items():
            assert event.cached == (event.key in durable), f"killed at {index}: {name} ran twice"
            assert event.cached == (name not in started)
        store = open_store(uri, cache=folder)
        assert not list(store.list("claims/")), f"killed at {index}: a claim is left"
        table.append((index, operations[index] if index < len(operations) else "", len(durable)))
    assert len(table) == len(chosen)
    # Before any of it, between the two, and before the claim on the last one is given back.
    assert {row[2] for row in table} == {0, 1, 2}
    assert not list(scratch.iterdir()), "scratch of killed runs is swept"
    with capsys.disabled():
        print(
            f"\nkilled before each of {len(table)} store operations: "
            + ", ".join(f"{i} {name} ({n} durable)" for i, name, n in table)
        )
