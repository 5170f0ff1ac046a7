"""What a rerun on Kubeflow costs whose results are all there, and a graph that runs in parts.

Part of ``python -m tests.benchmarks``: ``reruns``. The cluster is the tests' own, so no second of
it is one of a pod: what is timed is what this machine does.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest import mock

from tests.benchmarks.kubeflow import wide
from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]
_DIGEST = "1" * 64
_VARIANTS = 60


def bench_reruns(scratch: Path) -> list[Row]:
    """Time a rerun of the smallest configuration, and the division of 60 variants."""
    return [*_rerun(scratch), *_parts(scratch)]


def _rerun(scratch: Path) -> list[Row]:
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.watching import watcher
    from tests.pipelines.engines.kubeflow.launches import Launching
    from tests.servers.gcs.server import GcsServer
    from tests.servers.kfp import cluster as kfp_cluster
    from tests.servers.kfp.server import KfpServer

    tiny = ROOT / "tests/data/tiny.yaml"
    local = kfp_cluster.shared_local_run(tiny, scratch / "local")
    config = kfp_cluster.configured(tiny, scratch / "tiny.yaml")
    with (
        GcsServer() as gcs,
        KfpServer() as kfp,
        mock.patch.dict(os.environ, {"STORAGE_EMULATOR_HOST": gcs.url}),
        mock.patch.multiple(watcher, POLL_S=0.01, POLL_MAX_S=0.01),
    ):
        kfp_cluster.put_data(gcs)
        cluster = kfp_cluster.Cluster(kfp, gcs, local, graph_of(load(config)))
        launching = Launching(cluster, scratch)
        assert launching(config).outcome == "done"
        began = time.perf_counter()
        assert launching(config).outcome == "done"
        seconds, runs = time.perf_counter() - began, len(kfp.backend.runs)
    return [
        Row("rerun on Kubeflow, all 18 results there", seconds, "s", "10"),
        Row("runs of Kubeflow, so pods, that it takes", runs - 1, "x", "0"),
    ]


def _parts(scratch: Path) -> list[Row]:
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.engines.kubeflow.ir.limits import measured
    from pipelines.engines.kubeflow.ir.preflight import check
    from pipelines.engines.kubeflow.ir.servers import NEWEST
    from pipelines.engines.kubeflow.launching.part_compiler import PartCompiler
    from pipelines.engines.kubeflow.launching.planning import ReusePlan

    config = load(wide(_VARIANTS, scratch))
    reachable = check(config, graph_of(config))
    settings, sources = reachable.settings, dict.fromkeys(reachable.graph.sources, _DIGEST)
    images = settings.images
    assert not isinstance(images, str)
    compiler = PartCompiler(reachable, sources, images, settings.pipeline_root, NEWEST)
    began = time.perf_counter()
    parts = compiler.parts(ReusePlan())
    seconds = time.perf_counter() - began
    (last,) = measured(compiler.compiled(ReusePlan(), parts[-1]), NEWEST)
    return [
        Row(f"{_VARIANTS} variants divided for {NEWEST.major}.{NEWEST.minor}", seconds, "s", ""),
        Row("parts that they run in", len(parts), "x", ""),
        Row("pods of the last part", last.pods, "x", "", f"{len(parts[-1])} steps"),
    ]
