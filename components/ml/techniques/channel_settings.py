"""The settings of structured pruning, of channels and of layers; no frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.contract.types import Fraction, OnlyWith, Repeats

Target: TypeAlias = Literal["macs", "parameters", "bytes", "latency_ms"]
Importance: TypeAlias = Literal["taylor", "l2", "batch_norm"]

STRUCTURED = ("channels", "layers")
"""The methods that these settings are of."""

_Structured = OnlyWith("method", STRUCTURED)
_Channels = OnlyWith("method", ("channels",))


@dataclass(frozen=True, kw_only=True)
class StructureSettings:
    """How much of a network's structure is removed, and how it is chosen.

    Attributes:
        target: What is to become less (channels, layers). macs: multiply-accumulates for an image.
            parameters: numbers in the weights. bytes: what the weights take in an int8 file, 28
            bytes for each channel included. latency_ms: the time that an int8 file takes on the
            first device, predicted from small networks that are timed there, and not measured.
        remove: Share of the target that is removed, at least (channels, layers).
        importance: What is removed first (channels, layers). taylor: what changes the answers
            least, to first order (arXiv:1611.06440). l2: what has the smallest weights. batch_norm:
            what batch norms scale down most (arXiv:1708.06519); what has none stays.
        multiple_of: Widths that are left are multiples of it, where the network allows, and at
            least one (channels). 8 suits vector units.
        rounds: Times that a part is removed and the network trained again, each for all epochs
            (channels, layers).
    """

    target: Annotated[Target, _Structured] = "macs"
    remove: Annotated[Fraction, _Structured] = 0.5
    importance: Annotated[Importance, _Structured] = "taylor"
    multiple_of: Annotated[int, Field(ge=1, le=1024), _Channels] = 8
    rounds: Annotated[Repeats, _Structured] = 1


def predicts_latency(parameters: Mapping[str, object]) -> bool:
    """Whether a step that prunes needs to know what networks cost on a device."""
    return parameters.get("method") in STRUCTURED and parameters.get("target") == "latency_ms"
