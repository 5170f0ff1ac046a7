"""Launch records: what a launch has decided, written down before anything is submitted.

In the pipeline root ``launches/<run>/launch.json`` says what runs and which earlier results count,
``launches/<run>/1.json`` and so on which runs of Kubeflow carry it out, in parts that follow each
other. With both anybody can go on with a launch whose process is gone, and decides the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.engines.kubeflow.ir.preflight import Reachable, check
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.runs.keys import Fingerprints
from pipelines.stores.store import KeyMissing, Store

SCHEMA = 1
"""Raised when the meaning of what is written changes."""

_PART = re.compile(r"(.+) ([1-9]\d*)/([1-9]\d*)")


@dataclass(frozen=True)
class LaunchRecord:
    """What a launch has decided.

    Attributes:
        run: Identifier of the run that the user sees.
        config: The whole configuration, as a file would hold it.
        graph: Digest of the graph that it is.
        sources: Digest of every source.
        images: The name with digest that pods pull every image by.
        server: Version of the API server, whose limits divide the graph; None where it told none.
        plan: Which earlier results count.
        devices: Fingerprints of the devices that pods have to reach, as far as they were known.
    """

    run: str
    config: Mapping[str, Any]
    graph: str
    sources: Mapping[str, str]
    images: Mapping[ImageName, str]
    server: str | None
    plan: ReusePlan
    devices: Fingerprints = field(default_factory=dict[str, Mapping[str, str]])

    def put(self, root: Store) -> LaunchRecord:
        """Write it down, and return the one that counts: the first of this run."""
        content = {
            "schema": SCHEMA,
            "run": self.run,
            "config": json.dumps(self.config),  # as text: the order of variants means something
            "graph": self.graph,
            "sources": dict(self.sources),
            "images": dict(self.images),
            "server": self.server,
            "known": {name: one.to_json() for name, one in self.plan.known.items()},
            "lost": {name: one.to_json() for name, one in self.plan.lost.items()},
            **({"devices": dict(self.devices)} if self.devices else {}),
        }
        if root.put_if_absent(_key(self.run), canonical_json(content)):
            return self
        return read_launch(root, self.run) or self

    def reachable(self) -> Reachable:
        """Return what runs.

        Raises:
            UserError: This version of slimline makes another graph of the configuration.
        """
        config = Config.model_validate(self.config)
        graph = graph_of(config)
        if graph.digest != self.graph:
            raise UserError(
                f"the run {self.run} cannot be gone on with: its configuration makes other steps "
                "in this version",
                "run the configuration again: results that still count are kept",
            )
        return replace(check(config, graph), devices=self.devices)


@dataclass(frozen=True)
class LaunchPart:
    """One run of Kubeflow among those of a launch.

    Attributes:
        number: Its place, from 1.
        kfp_run: Kubeflow's identifier.
        version: Name of the pipeline version that it is a run of.
    """

    number: int
    kfp_run: str
    version: str


def read_launch(root: Store, run: str) -> LaunchRecord | None:
    """Return what a launch has decided, or None where this root knows of none.

    Raises:
        UserError: What lies there is damaged, or of another version of slimline.
    """
    try:
        content = cast("dict[str, Any]", json.loads(root.get(_key(run))))
        schema = content.pop("schema")
        if schema == SCHEMA:
            content["config"] = json.loads(content["config"])
            known, lost = (
                {name: KnownResult.from_json(one) for name, one in content.pop(group).items()}
                for group in ("known", "lost")
            )
            return LaunchRecord(**content, plan=ReusePlan(known, lost))
    except KeyMissing:
        return None
    except (ValueError, LookupError, TypeError, AttributeError):
        schema = None
    raise UserError(
        f"{_key(run)} in {root.uri} is damaged, or of another version of slimline",
        "run the configuration again: results that still count are kept",
    )


def put_part(root: Store, run: str, part: LaunchPart) -> None:
    """Write down that a run of Kubeflow is a part of a launch."""
    root.put_if_absent(f"{_folder(run)}{part.number}.json", canonical_json(asdict(part)))


def parts_of(root: Store, run: str) -> list[LaunchPart]:
    """Return the runs of Kubeflow that a launch has started, in their order.

    Raises:
        UserError: What is written of one of them is damaged.
    """
    return sorted(_parts(root, run), key=lambda part: part.number)


def _parts(root: Store, run: str) -> Iterator[LaunchPart]:
    for key in root.list(_folder(run)):
        if key == _key(run):
            continue
        try:
            yield LaunchPart(**json.loads(root.get(key)))
        except (ValueError, TypeError, KeyMissing):
            raise UserError(
                f"{key} in {root.uri} is damaged",
                "run the configuration again: results that still count are kept",
            ) from None


def part_name(run: str, number: int, parts: int) -> str:
    """Return what a run of Kubeflow is called: as the launch, and which of its parts it is."""
    return run if parts == 1 else f"{run} {number}/{parts}"


def launch_of(display_name: str) -> tuple[str, int]:
    """Return the launch that a run of Kubeflow is called after, and which part of it, from 1."""
    found = _PART.fullmatch(display_name)
    return (found[1], int(found[2])) if found else (display_name, 1)


def newest(parts: Sequence[LaunchPart]) -> LaunchPart | None:
    """Return the part that was started last."""
    return parts[-1] if parts else None


def _folder(run: str) -> str:
    return f"launches/{run}/"


def _key(run: str) -> str:
    return f"{_folder(run)}launch.json"
