"""What Kubeflow costs: compiling, bytes a step, and the demo under the SDK's own local runner.

Part of ``python -m tests.benchmarks``: ``compile``, ``sizes`` and ``engines``.
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
from pipelines.engines.kubeflow.ir.preflight import check
config = load(Path(sys.argv[1]))
graph = graph_of(config)
made = compiled(
    check(config, graph), dict.fromkeys(graph.sources, "{_DIGEST}"), config.kubeflow.images
)
write(made.text, Path(sys.argv[2]))
assert "kfp" not in sys.modules
"""
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
    images: dict[ImageName, str] = {
        image: f"registry.example/{image}@sha256:{_DIGEST}" for image in IMAGES
    }
    given["kubeflow"] = {"pipeline_root": PIPELINE_ROOT, "images": images, "retries": 0}
    path = folder / f"{example.stem}.yaml"
    path.write_text(json.dumps(given))
    return path


def wide(variants: int, folder: Path) -> Path:
    """Write a configuration of so many variants, two steps each, as it would run on Kubeflow."""
    import yaml

    example = relocated(ROOT / "tests/data/tiny.yaml", folder)
    given = yaml.safe_load(example.read_text())
    del given["kubeflow"]["retries"]  # a policy in every task
    given["variants"] = {
        f"v{number}": [
            {"distill": {"backbone": "conv", "alpha": round(0.25 + number / 100, 2), "epochs": 1}},
            {"quantize": {"scheme": "dynamic"}},
        ]
        for number in range(variants)
    }
    path = folder / f"wide{variants}.yaml"
    path.write_text(json.dumps({**given, "name": path.stem}))
    return path


def bench_compile(scratch: Path) -> list[Row]:
    """Compiling: faces in a fresh process, 30 variants, and synthetic graphs of two lengths."""
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.config.parameters import filled
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.ir.preflight import check
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
    thirty = load(wide(30, scratch))
    began = time.perf_counter()
    compiled(check(thirty, graph_of(thirty)), {"data": _DIGEST}, images)
    variants_s = time.perf_counter() - began
    spent: dict[int, float] = {}
    for count in (1_000, 4_000):
        began = time.perf_counter()
        compiled(check(config, chain(count)), {}, images)
        spent[count] = time.perf_counter() - began
    return [
        Row("compile of faces for Kubeflow, fresh process (median of 5)",
            statistics.median(times), "s", "<= 2"),
        Row("compile of 30 variants", variants_s, "s", "<= 2"),
        Row("compile of a synthetic graph, 1,000 steps", spent[1_000], "s", "<= 60"),
        Row("... growth from 1,000 to 4,000 steps",
            spent[4_000] / spent[1_000] / 4, "x a step", "about 1"),
    ]  # fmt: skip


def bench_sizes(scratch: Path) -> list[Row]:
    """What 30 variants take on each version of a server, and how many nodes the picture has.

    On the oldest, where a template is one environment variable, it is 15 variants.
    """
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.ir.limits import VARIABLE_BYTES, measured
    from pipelines.engines.kubeflow.ir.preflight import check
    from pipelines.engines.kubeflow.ir.sizes.back_end import BACK_ENDS
    from pipelines.images.building import IMAGES
    from tests.benchmarks.table import Row
    from tests.servers.kfp.picture import earlier_nodes, nodes

    images: dict[ImageName, str] = {image: f"{image}@sha256:{_DIGEST}" for image in IMAGES}
    rows: list[Row] = []
    oldest, *others = BACK_ENDS
    for variants, version in ((15, oldest.since), *((30, one.since) for one in others)):
        config = load(wide(variants, scratch))
        made = compiled(check(config, graph_of(config)), {"data": _DIGEST}, images)
        (sizes,) = measured(made, version)
        of = f"{variants} variants on Kubeflow Pipelines {version}"
        for what, size in (
            ("spec", sizes.spec_bytes),
            ("status", sizes.status_bytes),
            ("compressed status", sizes.compressed_bytes),
        ):
            rows.append(Row(f"{of}: {what}", size / sizes.steps, "bytes a step", ""))
        rows.append(Row(f"{of}: Workflow", sizes.workflow_bytes, "bytes", "<= 1,048,576"))
        if version == oldest.since:
            largest = f"<= {VARIABLE_BYTES:,}"
            rows.append(Row(f"{of}: largest template", sizes.template_bytes, "bytes", largest))
    digits = load(relocated(ROOT / "pipelines/examples/digits.yaml", scratch))
    graph = graph_of(digits)
    drawn = nodes(compiled(check(digits, graph), {"data": _DIGEST}, images).text)
    half = earlier_nodes(graph) // 2
    rows.append(Row("nodes in the picture of digits", drawn, "nodes", f"<= {half}"))
    return rows


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
    from pipelines.engines.kubeflow.ir.preflight import check
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
