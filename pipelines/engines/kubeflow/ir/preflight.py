"""What pods can reach: refused before anything is compiled, with the command that helps."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow
from pipelines.runs.graph import Graph
from pipelines.sources.local import PACKAGE, local_files
from pipelines.sources.snapshot import DATA, MODULES, PUBLISHED

_DEVICES = ("host",)
"""Kinds of devices that a pod has: the node that it runs on."""


@dataclass(frozen=True)
class Reachable:
    """A graph whose data and devices pods can reach: only ``check`` makes it.

    Attributes:
        config: What the graph is of.
        graph: What runs.
        settings: The section `kubeflow` of the configuration.
    """

    config: Config
    graph: Graph
    settings: Kubeflow


def check(config: Config, graph: Graph) -> Reachable:
    """Check that everything which the graph starts from and runs on can be reached from pods.

    Raises:
        UserError: There is no such section, a place is on this machine alone, or a device is
            attached to it.
    """
    if config.kubeflow is None:
        raise UserError(
            "the configuration has no section kubeflow, which says where runs keep their artifacts "
            "and which images pods pull",
            "add kubeflow: {pipeline_root: gs://BUCKET/pipelines, images: REGISTRY}",
        )
    for name, place in graph.sources.items():
        for one in place if isinstance(place, tuple) else (place,):
            if "://" not in one:
                raise _local(name, one, config.kubeflow)
    for device, name in zip(config.devices, config.device_names, strict=True):
        if device.kind not in _DEVICES:
            raise UserError(
                f"devices: pods cannot reach {name}, a device of kind {device.kind}",
                f"measure on it with --engine local, or leave it out: --without {name}",
            )
    if not isinstance(config.kubeflow.images, str):
        for step in graph.steps:
            if step.image not in config.kubeflow.images:
                raise UserError(
                    f"kubeflow.images: {step.name} was given a GPU, and there is no image "
                    f"{step.image!r}",
                    f"slimline images build --gpu, slimline images push REGISTRY {step.image}, "
                    "and add the name that it prints",
                )
    return Reachable(config, graph, config.kubeflow)


def _local(name: str, place: str, settings: Kubeflow) -> UserError:
    """Return the error for files of this machine, with the command that uploads them."""
    if place.startswith(PUBLISHED):
        from pipelines.sources.published import downloaded

        path = downloaded(place.removeprefix(PUBLISHED))
    else:
        package = place.startswith(PACKAGE)
        path = local_files(place, "data or a model").root if package else Path(place)
    folder = f"{settings.pipeline_root}/uploads/"
    key = name if name == DATA else f"teacher.{name}"
    uploaded = f"{folder}{path.name}"
    return UserError(
        f"{key}: {place} is on this machine, where pods cannot read it",
        f"{shlex.join(_upload(path, folder))}, "
        f"then write {key}: {f'[{uploaded}]' if name == MODULES else uploaded}",
    )


def _upload(path: Path, folder: str) -> list[str]:
    """Return the command that copies a file or a folder of this machine into a bucket."""
    if folder.startswith("gs://"):
        return ["gcloud", "storage", "cp", "-r", str(path), folder]
    place = f"s3://{folder.partition('://')[2]}{path.name}"
    return ["aws", "s3", "cp", *(["--recursive"] if path.is_dir() else []), str(path), place]
