"""What Kubeflow costs: compiling, and the demo under the SDK's own local runner.

Part of ``python -m tests.benchmarks``: ``compile`` and ``engines``.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.contract.types import ImageName
    from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]
PIPELINE_ROOT = "gs://bucket/pipelines"
_DIGEST = "0" * 64
_COMPILE = f"""
import sys
from pathlib import Path
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.compiling import compiled
from pipelines.engines.kubeflow.ir.yaml_text import write
from pipelines.engines.kubeflow.preflight import check
config = load(Path(sys.argv[1]))
graph = graph_of(config)
made = compiled(
    check(config, graph), dict.fromkeys(graph.sources, "{_DIGEST}"), config.kubeflow.images
)
write(made.text, Path(sys.argv[2]))
assert "kfp" not in sys.modules
"""
_REFUSE = """
from pipelines.engines.kubeflow.ir import limits
each = limits.measured(made, None)
assert len(each) == 4
"""
_WIDE = 30
_DOCKER_RUNNER = """
import sys
from pathlib import Path
from tests.servers.kfp import docker_runner
scratch = Path(sys.argv[1])
text = (scratch / "pipeline.yaml").read_text()
outputs = docker_runner.run(text, scratch / "gcs", scratch / "outputs")
assert (outputs.path("publish", "release") / "release" / "manifest.json").exists()
"""


def relocated(example: Path, folder: Path) -> Path:
    """Write an example as it would run on Kubeflow: data in a bucket, a section `kubeflow`."""
    import yaml

    from pipelines.images.building import IMAGES

    given = yaml.safe_load(example.read_text())
    given["data"] = "gs://bucket/data"
    images = {image: f"registry.example/{image}@sha256:{_DIGEST}" for image in IMAGES}
    given["kubeflow"] = {"pipeline_root": PIPELINE_ROOT, "images": images, "retries": 0}
    path = folder / f"{example.stem}.yaml"
    path.write_text(json.dumps(given))
    return path


def bench_compile(scratch: Path) -> list[Row]:
    """Compiling: the faces example in a fresh process, and synthetic graphs of two lengths."""
    from pipelines.config.loading import load
    from pipelines.config.parameters import filled
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.preflight import check
    from pipelines.images.building import IMAGES
    from pipelines.runs.graph import Graph, Ref, Step
    from tests.benchmarks.table import Row

    faces = relocated(ROOT / "pipelines/examples/faces.yaml", scratch)
    command = [sys.executable, "-c", _COMPILE, str(faces), str(scratch / "pipeline.yaml")]
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        times.append(time.perf_counter() - began)

    parameters = filled("quantize", {"scheme": "int8"})

    def chain(count: int) -> Graph:
        def inputs(index: int) -> dict[str, Ref | None]:
            model = Ref(f"s{(index - 1) // 3}", "quantized") if index else None
            return {"model": model, "dataset": None}

        names = range(count)
        return Graph(
            "chain",
            tuple(Step(f"s{n}", "quantize", inputs(n), parameters, 4.0, 60.0) for n in names),
            {},
        )

    config = load(faces)
    images: dict[ImageName, str] = {image: f"{image}@sha256:{_DIGEST}" for image in IMAGES}
    spent: dict[int, float] = {}
    for count in (1_000, 4_000):
        began = time.perf_counter()
        compiled(check(config, chain(count)), {}, images)
        spent[count] = time.perf_counter() - began
    return [
        *_wide_rows(scratch),
        *_ui_rows(scratch),
        Row("compile of faces for Kubeflow, fresh process (median of 5)",
            statistics.median(times), "s", "<= 2"),
        Row("compile of a synthetic graph, 1,000 steps", spent[1_000], "s", "<= 60"),
        Row("... growth from 1,000 to 4,000 steps",
            spent[4_000] / spent[1_000] / 4, "x a step", "about 1"),
    ]  # fmt: skip


def wide(folder: Path) -> Path:
    """Write a configuration of thirty variants that share nothing but the teacher."""
    import yaml

    path = relocated(ROOT / "tests/data/tiny.yaml", folder)
    given = json.loads(path.read_text())
    alphas = [round(0.25 + index / 100, 2) for index in range(_WIDE)]
    given["variants"] = {
        f"v{index}": [
            {"distill": {"backbone": "conv", "alpha": alpha, "epochs": 1}},
            {"quantize": {"scheme": "dynamic"}},
        ]
        for index, alpha in enumerate(alphas)
    }
    given["kubeflow"]["retries"] = 2
    path = folder / "wide.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def _wide_rows(scratch: Path) -> list[Row]:
    """Thirty variants: how long they take to compile, and what they take on the newest server."""
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.ir import limits
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.ir.servers import ServerVersion
    from pipelines.engines.kubeflow.preflight import check
    from tests.benchmarks.table import Row

    path = wide(scratch)
    command = [sys.executable, "-c", _COMPILE + _REFUSE, str(path), str(scratch / "wide.out.yaml")]
    times: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        times.append(time.perf_counter() - began)
    config = load(path)
    assert config.kubeflow
    assert not isinstance(config.kubeflow.images, str)
    graph = graph_of(config)
    sources = dict.fromkeys(graph.sources, _DIGEST)
    made = compiled(check(config, graph), sources, config.kubeflow.images, cache_keys=False)
    (sizes,) = limits.measured(made, ServerVersion(2, 17))
    count = sizes.steps
    return [
        Row(f"compile of {_WIDE} variants ({count} steps) for Kubeflow with the sizes of all "
            "versions, fresh process (median of 3)", statistics.median(times), "s", "<= 2"),
        Row("... specification a step, on 2.17", sizes.spec_bytes / count, "bytes", ""),
        Row("... status a step", sizes.status_bytes / count, "bytes", ""),
        Row("... status a step, compressed", sizes.compressed_bytes / count, "bytes", ""),
        Row("... the Workflow at its end", sizes.workflow_bytes, "bytes", "<= 1,048,576"),
    ]  # fmt: skip


def _ui_rows(scratch: Path) -> list[Row]:
    """The demo's graph as the pipeline UI draws it: tasks, importers and what they make."""
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.preflight import check
    from tests.benchmarks.table import Row

    config = load(relocated(ROOT / "pipelines/examples/digits.yaml", scratch))
    assert config.kubeflow
    assert not isinstance(config.kubeflow.images, str)
    graph = graph_of(config)
    sources = dict.fromkeys(graph.sources, _DIGEST)
    spec = compiled(check(config, graph), sources, config.kubeflow.images).spec
    tasks = spec["root"]["dag"]["tasks"].values()
    outputs = [
        spec["components"][task["componentRef"]["name"]]["outputDefinitions"]["artifacts"]
        for task in tasks
    ]
    nodes = len(outputs) + sum(map(len, outputs))
    name = f"nodes in the pipeline UI's graph of the demo ({len(graph.steps)} steps)"
    return [Row(name, nodes, "", "<= 84")]


def bench_engines(scratch: Path) -> list[Row]:
    """The demo from nothing under three engines, one after the other, in one run."""
    from pipelines.config.loading import load
    from pipelines.launch.launching import launch
    from tests.benchmarks.table import Row

    example = ROOT / "pipelines/examples/digits.yaml"
    rows: list[Row] = []
    for engine in ("local", "docker"):
        began = time.perf_counter()
        launched = launch(
            load(example),
            engine=engine,
            store=str(scratch / engine),
            output=scratch / "out",
            on_event=lambda _: None,
        )
        assert launched.outcome == "done", launched.steps
        spent = time.perf_counter() - began
        rows.append(Row(f"demo, nothing cached, engine {engine}", spent, "s", ""))
    spent = _under_the_docker_runner(example, scratch)
    return [*rows, Row("... the compiled demo under kfp's DockerRunner", spent, "s", "")]


def _under_the_docker_runner(example: Path, scratch: Path) -> float:
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.preflight import check
    from pipelines.images.building import IMAGES, find
    from pipelines.images.daemon import connect
    from pipelines.sources.snapshot import snapshot, stage

    source = snapshot(load(example).data)
    config = load(relocated(example, scratch))
    images: dict[ImageName, str] = {image: find(connect(), image).name for image in IMAGES}
    made = compiled(check(config, graph_of(config)), {"data": source.digest}, images)
    stage(source, scratch / "staged")
    place = scratch / "gcs" / made.sources["data"].removeprefix("gs://")
    shutil.copytree(scratch / "staged", place)
    (scratch / "pipeline.yaml").write_text(made.text)
    # In a process of its own, because it tells all that the containers print.
    command = [sys.executable, "-c", _DOCKER_RUNNER, str(scratch)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    return spent
