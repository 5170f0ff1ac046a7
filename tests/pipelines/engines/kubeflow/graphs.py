"""Configurations of the repository as they would run on Kubeflow: data in a bucket, a section."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from components.contract.types import ImageName
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.images.building import ALL_IMAGES

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((ROOT / "pipelines" / "examples").glob("*.yaml"))
TINY = ROOT / "tests" / "data" / "tiny.yaml"
REFERENCES: dict[ImageName, str] = {
    image: f"registry.example/slimline/{image}@sha256:{'0' * 64}" for image in ALL_IMAGES
}
SETTINGS = {"pipeline_root": "gs://bucket/pipelines", "images": dict(REFERENCES)}
ELSEWHERE = [
    "host",
    {"kind": "ssh", "host": "pi5.lan", "name": "pi5"},
    {"kind": "adb", "serial": "R5CT10ABCDE", "name": "s21"},
]
"""Devices that the machine holds which EVERYTHING names."""
ON_GPU = {"train": {"gpu": 1}}
"""Limits that go with EVERYTHING, which says what the cluster calls the GPU."""
EVERYTHING = SETTINGS | {
    "service_account": "runner",
    "retries": 3,
    "backoff_s": 30,
    "environment": {"HTTPS_PROXY": "http://proxy:3128", "A": "1e3"},
    "secrets": [
        {"name": "tokens", "variables": {"b": "TOKEN_B", "a": "TOKEN_A"}},
        {"name": "certificates", "path": "/etc/certificates"},
    ],
    "image_pull_secrets": ["registry"],
    "devices": {"host": "me@lab.lan", "secret": "lab-ssh"},
    "resources": {
        "train": {
            "cpu": 4,
            "memory_gb": 12.5,
            "minutes": 90,
            "accelerator": "example.com/gpu",
            "accelerators": 2,
            "node_selector": {"pool": "gpu"},
            "tolerations": [
                {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
                {"key": "team", "operator": "Equal", "value": "ml"},
            ],
        },
        "benchmark": {"node_selector": {"pool": "phones"}},
    },
}


def config_of(folder: Path, example: Path = TINY, **changes: object) -> Config:
    """Load a configuration with its files in a bucket, a section kubeflow, and further changes."""
    given = yaml.safe_load(example.read_text())
    for key in ("model", "weights"):
        if place := given["teacher"].get(key):
            given["teacher"][key] = f"gs://bucket/{Path(place).name}"
    given |= {"data": "gs://bucket/data", "kubeflow": SETTINGS} | changes
    path = folder / "config.yaml"
    path.write_text(json.dumps(given))  # JSON is YAML in which text is always quoted
    return load(path)


def compile_config(config: Config) -> Compiled:
    """Compile with digests as a snapshot and a registry would give them."""
    graph = graph_of(config)
    return compiled(check(config, graph), dict.fromkeys(graph.sources, "1" * 64), REFERENCES)
