"""What pods can reach: refused before anything is compiled, with the command that helps."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.contract.errors import UserError
from components.devices.remote.jump import making
from pipelines.config.configuration import Config
from pipelines.config.devices import ShellDevice
from pipelines.config.kubeflow import Kubeflow
from pipelines.runs.graph import Graph
from pipelines.runs.keys import Fingerprints
from pipelines.sources.local import PACKAGE, local_files
from pipelines.sources.snapshot import DATA, MODULES, PUBLISHED

_DEVICES = ("host",)
"""Kinds of devices that a pod has: the node that it runs on."""

_THROUGH_HOST = ("ssh", "adb")
"""Kinds that it reaches by way of a machine that holds them."""


@dataclass(frozen=True)
class Reachable:
    """A graph whose data and devices pods can reach: only ``check`` makes it.

    Attributes:
        config: What the graph is of.
        graph: What runs.
        settings: The section `kubeflow` of the configuration.
        devices: Fingerprints of the devices that pods have to reach, as far as they are known:
            what was measured on another one is measured anew, and so it always is.
    """

    config: Config
    graph: Graph
    settings: Kubeflow
    devices: Fingerprints = field(default_factory=dict[str, Mapping[str, str]])


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
    _check_devices(config, config.kubeflow)
    for name, place in graph.sources.items():
        for one in place if isinstance(place, tuple) else (place,):
            if "://" not in one:
                raise _local(name, one, config.kubeflow)
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


def _check_devices(config: Config, settings: Kubeflow) -> None:
    for device, name in zip(config.devices, config.device_names, strict=True):
        through = device.kind in _THROUGH_HOST
        if isinstance(device, ShellDevice) and device.runner and settings.devices:
            raise UserError(
                f"devices: pods have no program of yours, and {name} names the runner "
                f"{device.runner}",
                f"remove `runner` of {name}, or measure on it with --engine local",
            )
        if device.kind in _DEVICES or (through and settings.devices):
            continue
        what = f"devices: pods cannot reach {name}, a device of kind {device.kind}"
        fix = f"measure on it with --engine local, or leave it out: --without {name}"
        if through:
            what += ", without a machine that holds it and a key"
            fix = (
                "add kubeflow: {devices: {host: lab.lan, secret: lab-ssh}}, with the machine that "
                f"reaches it and a secret made by `{making('lab-ssh')}`; or {fix}"
            )
        raise UserError(what, fix)


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
