"""What slimline costs beyond the work itself: one table, ratios from one run.

``make bench`` runs all of it; ``python -m tests.benchmarks store walk`` runs some.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.devices.fingerprint import cpu_name, usable_cores
from tests.benchmarks.classes import bench_classes
from tests.benchmarks.costs import bench_costs
from tests.benchmarks.devices import bench_devices
from tests.benchmarks.docker import bench_docker
from tests.benchmarks.ingest import bench_ingest
from tests.benchmarks.kubeflow import bench_compile, bench_engines, bench_sizes
from tests.benchmarks.lineage import bench_lineage
from tests.benchmarks.memory import bench_memory, bench_memory_ingest, bench_memory_small
from tests.benchmarks.pages import bench_pages, bench_pages_small
from tests.benchmarks.planning import bench_plan
from tests.benchmarks.reruns import bench_reruns
from tests.benchmarks.schedules import bench_schedules
from tests.benchmarks.table import Row
from tests.benchmarks.triggers import bench_triggers
from tests.benchmarks.verifying import bench_verify
from tests.benchmarks.winners import bench_winners

if TYPE_CHECKING:
    from pipelines.launch.launching import Launched

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def bench_walk(scratch: Path) -> list[Row]:
    """A synthetic graph whose every result is there: compile, key and walk."""
    from components.contract.digests import canonical_json
    from pipelines.engines.machine.local import LocalRunner
    from pipelines.engines.machine.scheduler import Scheduler
    from pipelines.runs.cache import Cache
    from pipelines.runs.graph import Graph, Ref, Step
    from pipelines.runs.keys import ingredients_of
    from pipelines.runs.results import CachedResult
    from pipelines.stores.directory import DirectoryStore

    def graph(count: int) -> Graph:
        parameters = {"scheme": "float16", "threads": 1, "seed": 0}

        def flow(index: int) -> Ref:
            return Ref(f"s{(index - 1) // 3}", "quantized")

        return Graph(
            "synthetic",
            tuple(
                Step(
                    f"s{index}", "quantize",
                    {"model": flow(index) if index else None, "dataset": None},
                    parameters | {"seed": index}, 4.0, 60.0,
                )
                for index in range(count)
            ),
            {},
        )  # fmt: skip

    rows: list[Row] = []
    for count in (1_000, 10_000):
        folder = scratch / f"walk-{count}"
        cache = Cache(DirectoryStore(folder / "store"), folder / "work")
        artifact = folder / "artifact"
        artifact.mkdir(parents=True)
        (artifact / "model.json").write_text("{}")
        tree = cache.put_tree(artifact).digest
        runner = LocalRunner()
        keys: dict[str, str] = {}
        items: list[tuple[str, bytes]] = []
        for step in graph(count).ordered:
            inputs = {port: tree if flow else None for port, flow in step.inputs.items()}
            keys[step.name] = ingredients_of(step, inputs, runner.environment(step)).key
            result = CachedResult(keys[step.name], {"quantized": tree, "report": tree}, "r", 0.0)
            items.append((f"ac/{result.key}.json", canonical_json(asdict(result))))
        cache.store.put_many(items)
        began = time.perf_counter()
        built = graph(count)
        events = list(Scheduler(runner, cache, folder / "work").submit(built, {}, "bench"))
        spent = time.perf_counter() - began
        assert len(events) == count
        assert all(event.cached for event in events)
        rows.append(
            Row(
                f"synthetic graph, {count:,} steps, all cached",
                1e3 * spent / count,
                "ms/step",
                "<= 2",
            )
        )
    rows.append(
        Row(
            "... growth from 1,000 to 10,000 steps",
            rows[1].value / rows[0].value,
            "x a step",
            "about 1",
        )
    )
    return rows


def bench_claim(scratch: Path) -> list[Row]:
    """A step's claim, taken, asked for before the result is published, and given back."""
    from pipelines.stores.directory import DirectoryStore
    from pipelines.stores.layout import claim_key
    from pipelines.stores.leases import Leases

    leases = Leases(DirectoryStore(scratch / "store"))
    times: list[float] = []
    for index in range(200):
        began = time.perf_counter()
        lease = leases.take(claim_key(f"{index:064x}"), {"engine": "bench", "run": "bench"})
        assert lease
        assert lease.regain()
        lease.release()
        times.append(time.perf_counter() - began)
    leases.close()
    return [
        Row(
            "claim of a step, directory store (median of 200)",
            1e3 * statistics.median(times),
            "ms/step",
            "<= 5",
        )
    ]


def bench_store(scratch: Path) -> list[Row]:
    """Directory store against cp and sha256sum, the same bytes and the same disk."""
    from pipelines.stores.directory import DirectoryStore

    data = scratch / "data.bin"
    data.write_bytes(os.urandom(256 << 20))
    store = DirectoryStore(scratch / "store")

    def best(function: Callable[[int], object], rounds: int = 5) -> float:
        times: list[float] = []
        for index in range(rounds):
            os.sync()
            began = time.perf_counter()
            function(index)
            times.append(time.perf_counter() - began)
        return min(times)

    def reference(index: int) -> None:
        copy = scratch / f"copy-{index}"
        subprocess.run(["cp", data, copy], check=True)
        subprocess.run(["sync", copy], check=True)
        subprocess.run(["sha256sum", copy], check=True, stdout=subprocess.DEVNULL)
        copy.unlink()

    def put(index: int) -> None:
        from components.contract.digests import file_sha256

        file_sha256(data)
        store.put_if_absent(f"cas/{index}", data)

    def get(index: int) -> None:
        store.fetch("cas/0", scratch / f"out-{index}")
        (scratch / f"out-{index}").unlink()

    def reference_get(index: int) -> None:
        copy = scratch / f"copy-{index}"
        subprocess.run(["cp", data, copy], check=True)
        subprocess.run(["sha256sum", copy], check=True, stdout=subprocess.DEVNULL)
        copy.unlink()

    return [
        Row(
            "directory store put, 256 MiB, against cp + sync + sha256sum",
            best(reference) / best(put),
            "x",
            ">= 0.8",
        ),
        Row(
            "directory store get, 256 MiB, against cp + sha256sum",
            best(reference_get) / best(get),
            "x",
            ">= 0.8",
        ),
    ]


def bench_run(scratch: Path) -> list[Row]:
    """A small real run: the engine's share of every step, the same steps cached, its memory."""
    from pipelines.config.loading import load
    from pipelines.launch.launching import launch
    from pipelines.runs.live.events import StepDone

    events: list[StepDone] = []
    store = str(scratch / "store")
    config = load(TINY)

    def keep(event: object) -> None:
        if isinstance(event, StepDone):
            events.append(event)

    launched = launch(config, store=store, output=scratch / "out", on_event=keep)
    executed = [event for event in events if not event.cached]
    first = {"ingest"}  # waits for the zygote to import the frameworks
    overhead = [event.wall_s - event.function_s for event in executed if event.step not in first]
    rows = [
        Row(
            f"engine's share of a step beyond the function, zygote warm (median of {len(overhead)})",
            statistics.median(overhead),
            "s",
            "<= 0.3",
        ),
        Row("... the worst step", max(overhead), "s", ""),
        Row(
            "... the same for a convert step in a fresh process",
            _fresh(scratch, launched, store),
            "s",
            "",
        ),
    ]
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        str(TINY),
        "--store",
        store,
        "--output",
        str(scratch / "out"),
    ]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    rows.append(
        Row(
            "the run again, everything cached, command to prompt",
            time.perf_counter() - began,
            "s",
            "<= 2",
        )
    )
    assert done.returncode == 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(Row("peak memory of the engine process", peak, "MiB", "< 150"))
    return rows


def _fresh(scratch: Path, launched: Launched, store: str) -> float:
    """Wall time beyond the function of a convert step started by hand, as a fresh process."""
    from pipelines.runs.cache import Cache
    from pipelines.runs.live.events import StepDone
    from pipelines.stores.opening import open_store

    cache = Cache(open_store(store), scratch / "stage")
    trained = launched.steps["train"]
    assert isinstance(trained, StepDone)
    model = cache.stage(trained.outputs["model"], scratch / "model")
    out = scratch / "fresh"
    out.mkdir()
    message = {
        "inputs": {"artifacts": {"model": {"artifacts": [{"uri": str(model)}]}}},
        "outputs": {
            "artifacts": {
                name: {"artifacts": [{"uri": str(out / name)}]}
                for name in ("lite", "report", "statement")
            }
        },
    }
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "components", "convert", "--executor-input", json.dumps(message)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began - json.loads((out / "statement").read_text())["wall_s"]


def bench_bucket(scratch: Path) -> list[Row]:
    """Bucket store against a plain loop over the client library, on the tests' own server.

    The server runs in a process of its own. For the small objects it answers after 20 ms, as a
    service that is not on this machine does: that wait is what many requests at a time save. The
    loop without it is there, too.
    """
    rows: list[Row] = []
    for latency_ms in (0, 20):
        command = [
            sys.executable,
            "-m",
            "tests.servers.gcs.server",
            "--bucket=bench",
            f"--latency-ms={latency_ms}",
        ]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout
                os.environ["STORAGE_EMULATOR_HOST"] = server.stdout.readline().strip()
                rows += _against_client(scratch, latency_ms)
            finally:
                del os.environ["STORAGE_EMULATOR_HOST"]
                server.terminate()
                assert server.stdout
                server.stdout.read()  # how often it failed, which it was not asked to
    return rows


def _against_client(scratch: Path, latency_ms: int) -> list[Row]:
    from google.cloud import storage

    from pipelines.stores.bucket import BucketStore

    store, bucket = BucketStore("gs://bench/store"), storage.Client("bench").bucket("bench")
    large, small, out = scratch / "large", os.urandom(10 << 10), scratch / "out"
    large.write_bytes(os.urandom(64 << 20))

    def ratio(plain: Callable[[int], object], ours: Callable[[int], object], rounds: int) -> float:
        """Alternate the two, so that both see the same machine; compare their best."""
        times: tuple[list[float], list[float]] = ([], [])
        for index in range(rounds):
            for function, kept in zip((plain, ours), times, strict=True):
                began = time.perf_counter()
                function(index)
                kept.append(time.perf_counter() - began)
        return min(times[0]) / min(times[1])

    def plain_put(index: int) -> None:
        for number in range(1000):
            bucket.blob(f"small-{index}-{number}").upload_from_string(small)

    def plain_get(_: int) -> None:
        for number in range(1000):
            bucket.blob(f"small-0-{number}").download_to_filename(out)

    many_put = ratio(
        plain_put, lambda index: store.put_many((f"s/{index}-{n}", small) for n in range(1000)), 1
    )
    many_get = ratio(
        plain_get,
        lambda _: store.fetch_many((f"s/0-{n}", scratch / f"{n}") for n in range(1000)),
        1,
    )
    if latency_ms:
        note = f"{latency_ms} ms a request"
        return [
            Row(
                f"bucket store put, 1,000 of 10 KiB, against the client in a loop, {note}",
                many_put,
                "x",
                ">= 5",
            ),
            Row(
                f"bucket store get, 1,000 of 10 KiB, against the client in a loop, {note}",
                many_get,
                "x",
                ">= 5",
            ),
        ]
    put = ratio(
        lambda index: bucket.blob(f"large-{index}").upload_from_filename(large),
        lambda index: store.put_if_absent(f"large-{index}", large),
        5,
    )
    get = ratio(
        lambda _: bucket.blob("large-0").download_to_filename(out),
        lambda _: store.fetch("large-0", out),
        5,
    )
    return [
        Row("bucket store put, 64 MiB, against the client", put, "x", ">= 0.85"),
        Row(
            "bucket store get, 64 MiB with sha256, against the client without", get, "x", ">= 0.85"
        ),
        Row("bucket store put, 1,000 of 10 KiB, no network between", many_put, "x", ""),
        Row("bucket store get, 1,000 of 10 KiB, no network between", many_get, "x", ""),
    ]


BENCHES: dict[str, Callable[[Path], Iterable[Row]]] = {
    "run": bench_run,
    "plan": bench_plan,
    "classes": bench_classes,
    "walk": bench_walk,
    "claim": bench_claim,
    "store": bench_store,
    "bucket": bench_bucket,
    "ingest": bench_ingest,
    "memory": bench_memory_small,
    "docker": bench_docker,
    "compile": bench_compile,
    "sizes": bench_sizes,
    "engines": bench_engines,
    "reruns": bench_reruns,
    "verify": bench_verify,
    "winners": bench_winners,
    "costs": bench_costs,
    "devices": bench_devices,
    "lineage": bench_lineage,
    "triggers": bench_triggers,
    "pages": bench_pages,
}

NAMED_BENCHES: dict[str, Callable[[Path], Iterable[Row]]] = {
    "memory-ingest": bench_memory_ingest,
    "memory-long": bench_memory,
    "pages-small": bench_pages_small,
    "schedules": bench_schedules,
}
"""Those that run only where they are named."""
NAMES = f"of {', '.join([*BENCHES, *NAMED_BENCHES])}; none: all but {', '.join(NAMED_BENCHES)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=NAMES)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--page", type=Path, help="also write the table between this page's marks")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.names or BENCHES:
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=ROOT / "build"))
        try:
            for row in (BENCHES | NAMED_BENCHES)[name](scratch):
                print(table([row]), file=sys.stderr, flush=True)  # the table comes at the end
                rows.append(row)
        finally:
            shutil.rmtree(scratch)
    text = table(rows)
    print(text)
    at = datetime.now(UTC)
    machine = {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "python": platform.python_version(),
    }
    if arguments.json:
        document = {
            "at": at.isoformat(timespec="seconds"),
            "machine": machine,
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    if arguments.page:
        where = f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}"
        measured = f"Measured on {at:%Y-%m-%d} on {where}:"
        page = arguments.page.read_text()
        before, after = page[: page.index(BEGIN)], page[page.index(END) :]
        arguments.page.write_text(
            f"{before}{BEGIN}\n\n{measured}\n\n```text\n{text}\n```\n\n{after}"
        )


def table(rows: list[Row]) -> str:
    """Return what people see: name, value, unit and target, in columns."""
    width = max(len(row.name) for row in rows)
    lines: list[str] = []
    for row in rows:
        value = f"{row.value:,.0f}" if abs(row.value) >= 100 else f"{row.value:.3g}"
        lines.append(f"{row.name:<{width}}  {value:>9} {row.unit:<8} {row.target}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT / "build").mkdir(exist_ok=True)
    main()
