"""The artifact CostSamples: small LiteModels, by whose times a device's costs are fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from components.artifacts.json_file import JsonFile


@dataclass(frozen=True)
class CostSample:
    """One of the networks; its LiteModel lies in the folder of its name.

    Attributes:
        name: Of the folder.
        network: Settings that it was built from.
        outputs: Numbers that it answers with.
        counts: What it computes and holds, by name: see ``components/ml/graphs/costs.py``.
    """

    name: str
    network: Mapping[str, Any]
    outputs: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class CostSamples(JsonFile):
    """The content of ``samples.json``, beside the folders of the LiteModels.

    Attributes:
        image: Height, width and channels that all of them take.
        scheme: In which precision they compute.
        samples: The networks.
    """

    FILE: ClassVar[str] = "samples.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "folder of cost samples"
    FIX_ABSENT: ClassVar[str] = "give the folder that cost_samples wrote"
    FIX_VERSION: ClassVar[str] = "run cost_samples again"

    image: tuple[int, int, int]
    scheme: str
    samples: tuple[CostSample, ...]
