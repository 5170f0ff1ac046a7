"""The whole configuration as a class: its keys, and what follows from them.

Parameters of components are not described here. They are checked against the component's own
signature, under the names that ``parameters.offered`` gives them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from components.contract.digests import digest
from components.contract.errors import UserError, suggest
from components.contract.types import Fraction, Seed, Task, Threads
from components.statistics.metrics import PRIMARY
from pipelines.config.budget_faults import budget_faults
from pipelines.config.budgets import BudgetSection
from pipelines.config.device_section import DeviceSection
from pipelines.config.devices import HOST, Device, HostDevice, device_names, device_places
from pipelines.config.kubeflow import Kubeflow
from pipelines.config.parameters import filled, shared_keys
from pipelines.config.releases import ReleasesSection
from pipelines.config.sections import (
    AboutSection,
    AutoSection,
    ComponentName,
    ImageShape,
    Limit,
    Name,
    Parameters,
    PathStep,
    Section,
    Teacher,
    VariantName,
    as_tuple,
)
from pipelines.config.select_section import SelectSection
from pipelines.disk.names import absolute

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|package:")


def _forget_places(plain: dict[str, Any]) -> None:
    """Take out of a plain configuration where files lie, but not that they are given."""
    if plain.pop("pairs") is not None:
        plain["pairs"] = "given"
    for key in ("model", "outputs", "weights"):
        if plain["teacher"].get(key) is not None:
            plain["teacher"][key] = "given"
    for device in plain["devices"]:
        if "file" in device:  # its name may be that of the device
            device["file"] = PurePosixPath(device["file"]).name


class Config(Section):
    """A whole configuration."""

    name: Name = Field(description="lower-case letters, digits and hyphens")
    task: Task = Field(description="what the model is to do")
    data: str = Field(
        min_length=1,
        description="a folder with one sub-folder per identity or class, a `.csv` file that "
        "lists images or holds their pixels, an `.npz` file, a folder of idx files; on this "
        "machine, `gs://bucket/name` (or `s3://`) for the same in a bucket, or `package:...` for "
        "data inside a Python package",
    )
    image: ImageShape = Field(description="shape of the model's input")
    split: Parameters = Field(
        default_factory=dict[str, object],
        description="how the data is divided: parameters of `ingest`; without `by` verification "
        "splits by identity and classification by image",
    )
    pairs: str | None = Field(
        default=None,
        min_length=1,
        description="a file that lists pairs of images, on which verification is measured once "
        "more at the end: LFW's `pairs.txt`, or a csv file with the columns `first`, `second`, "
        "`same` and perhaps `fold`; what its images show is sealed",
    )
    teacher: Teacher = Field(description="the large model that everything is measured against")
    variants: Mapping[
        VariantName,
        Annotated[tuple[PathStep, ...], BeforeValidator(as_tuple), Field(min_length=1)],
    ] = Field(
        min_length=1,
        description="by name the path of steps from the teacher; shared beginnings run once. Or "
        "`auto`: what `slimline suggest` writes for this task, teacher and time and these budgets",
    )
    auto: AutoSection | None = Field(
        default=None, description="what `variants: auto` is made for beside these"
    )
    search: Parameters | None = Field(
        default=None,
        description="an architecture search before the variants, for those that begin with "
        "`{distill: {architecture: search}}`: parameters of `search`, and `cost_networks` of "
        "`cost_samples`; `{}` takes all defaults",
    )
    baseline: Literal["linear", "none"] = Field(
        default="linear",
        description="what is measured beside the variants and cannot win: `linear`, the linear map "
        "of the pixels that `train: {backbone: linear}` fits in seconds, as an int8 "
        "file; or `none`",
    )
    devices: Annotated[tuple[Device, ...], BeforeValidator(as_tuple)] = Field(
        default_factory=lambda: (HostDevice.model_validate({"kind": "host"}),),
        min_length=1,
        description="where inference is timed: `host`, `{kind: host, threads: 2}`, or others such "
        "as `{kind: ssh, host: pi5.lan}`: [devices](devices.md)",
    )
    budgets: BudgetSection = Field(
        default_factory=BudgetSection, description="what the winner keeps to"
    )
    minimize: Literal["size", "latency"] = Field(
        "size", description="what is best among those that keep to the budgets"
    )
    confidence: Fraction = Field(0.95, description="coverage of every interval")
    convert: Parameters = Field(
        default_factory=dict[str, object],
        description="parameters of `convert`: `{metadata: true}` writes labels and normalization "
        "into every file",
    )
    evaluate: Parameters = Field(
        default_factory=dict[str, object], description="parameters of `evaluate`"
    )
    select: SelectSection = Field(
        default_factory=lambda: SelectSection.model_validate({}),
        description="parameters of `select`; `per: device` chooses a file for each device",
    )
    store: str = Field(
        "./slimline-store",
        min_length=1,
        description="where results and records are kept: a folder, `gs://bucket/prefix` or "
        "`s3://bucket/prefix`. What is read of buckets stays in `~/.cache/slimline`: at most 20 "
        "GiB, or as many as the file `limit_gib` there says (`echo 50 > "
        "~/.cache/slimline/limit_gib`)",
    )
    threads: Threads = Field(2, description="cores that a training step keeps busy")
    seed: Seed = Field(0, description="where all randomness starts")
    limits: Mapping[ComponentName, Limit] = Field(
        default_factory=dict[str, Limit],
        description="by component the memory and time that its steps may take",
    )
    about: AboutSection | None = Field(
        default=None,
        description="who answers for the release and what it is for; the model card says it, and "
        "so does `slimline export --format cyclonedx`",
    )
    kubeflow: Kubeflow | None = Field(
        default=None, description="where and on what `--engine kubeflow` runs the graph"
    )

    releases: ReleasesSection | None = Field(
        default=None, description="when a release becomes the champion that apps download"
    )

    @property
    def metric(self) -> str:
        """The metric of the budget, the task's leading one where none was named."""
        return self.budgets.metric or PRIMARY[self.task]

    @property
    def device_names(self) -> tuple[str, ...]:
        """What the devices are called in the graph and in reports."""
        return device_names(self.devices)

    @property
    def devices_by_name(self) -> dict[str, DeviceSection]:
        """The devices by what they are called, in the order of the list."""
        return dict(zip(self.device_names, self.devices, strict=True))

    @property
    def device_places(self) -> tuple[str, ...]:
        """What the steps of each device need for themselves alone: ``host``, or a device's name."""
        return device_places(self.devices)

    @property
    def chosen_devices(self) -> tuple[str, ...] | None:
        """The devices that have a choice each; None where one choice is for all of them."""
        return self.device_names if self.select.per == "device" else None

    def step_parameters(
        self, component: str, given: Parameters | None = None, **fixed: object
    ) -> dict[str, object]:
        """Return the complete parameters of a step.

        Args:
            component: Which one; what holds for every step counts where nothing else is given.
            given: Its own parameters, as a configuration calls them.
            **fixed: What follows from the graph.
        """
        shared = {key: getattr(self, key) for key in shared_keys(component)}
        return filled(component, given or {}, fixed=fixed, unless_given=shared)

    def to_plain(self) -> dict[str, Any]:
        """Return what a file would hold; ``load`` of it gives an equal configuration."""
        return self.model_dump(mode="json")

    @property
    def written_variants(self) -> dict[str, Any]:
        """The variants as a file would hold them; what ``auto`` became, where it was that."""
        return self.to_plain()["variants"]

    @property
    def digest(self) -> str:
        """The digest of all that was configured, but not of where files lie and steps run."""
        return digest("config", self.content)

    @property
    def content(self) -> dict[str, Any]:
        """What the digest is of, and a store keeps under it."""
        plain = self.to_plain()
        del plain["data"], plain["store"], plain["kubeflow"]
        _forget_places(plain)
        # Left away where there are none, so that what was configured before keeps its digest.
        if not plain["convert"]:
            del plain["convert"]
        if plain["search"] is None:
            del plain["search"]
        if plain["releases"] is None:
            del plain["releases"]
        else:
            del plain["releases"]["url"], plain["releases"]["key"]
        if plain["about"] is None:
            del plain["about"]
        plain["limits"] = {
            component: {key: value for key, value in limit.items() if key != "gpu" or value}
            for component, limit in plain["limits"].items()
        }
        del plain["auto"]  # what became of it stands under variants
        if modules := plain["teacher"].pop("modules", None):
            plain["teacher"]["modules"] = len(modules)
        if not plain["teacher"].get("resize"):
            plain["teacher"].pop("resize", None)
        return plain

    def relocated(self, *, data: str | None = None, store: str | None = None) -> Config:
        """Return the same with other places, relative to the working folder."""
        moved = {"data": data, "store": store}
        return self.model_copy(
            update={key: located(value, None) for key, value in moved.items() if value}
        )

    def without(self, names: Collection[str]) -> Config:
        """Return the same without some of its devices.

        Args:
            names: What they are called.

        Raises:
            UserError: There is no such device, no other one, or none that tells what a budget
                limits.
        """
        listed = self.device_names
        for name in names:
            if name not in listed:
                raise UserError(f"devices: there is none called {name!r}", suggest(name, listed))
        kept = tuple(
            device for device, name in zip(self.devices, listed, strict=True) if name not in names
        )
        if not kept:
            raise UserError(
                f"without {' and '.join(names)} there is no device to measure on",
                f"list {HOST} under devices, too, or leave --without out",
            )
        budgets = self.budgets.without(frozenset(names))
        left = self.model_copy(update={"devices": kept, "budgets": budgets})
        for _, what, fix in budget_faults(budgets, left.devices_by_name, self.minimize):
            raise UserError(f"without {' and '.join(names)}: {what}", fix)
        return left

    def reseeded(self, seed: int) -> Config:
        """Return the same with all randomness starting elsewhere.

        Raises:
            UserError: A number that is no seed.
        """
        try:
            TypeAdapter[int](Seed).validate_python(seed)
        except ValidationError as error:
            raise UserError(
                f"seed {seed}: {error.errors()[0]['msg']}", "write --seed 1, for example"
            ) from error
        return self.model_copy(update={"seed": seed})


def located(place: str, folder: Path | None) -> str:
    """Return an absolute path; addresses such as ``gs://bucket`` and ``package:...`` stay."""
    if _ADDRESS.match(place):
        return place
    return os.path.normpath(absolute(place, folder))
