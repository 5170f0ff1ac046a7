"""Delegation: what a ``benchmark_model`` says of who computed, so that no fallback stays silent.

References, all LiteRT at f67457790:
    tflite/core/subgraph.cc, ``Subgraph::ReplaceNodeSubsetsWithDelegateKernels`` ("Replacing"; on
    Android in every build);
    tflite/tools/benchmark/benchmark_tflite_model.cc, ``BenchmarkTfLiteModel::Init`` ("Explicitly
    applied", "Though", "Disallowed CPU fallback detected.").
    LiteRT issues 8093 and 7891 (silent fallback).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from components.devices.remote.settings import AcceleratorKind

_REPLACED = re.compile(
    r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(([^)]*)\) node, "
    r"yielding \d+ partitions"
)
_APPLIED = re.compile(
    r"Explicitly applied (\w+) delegate, "
    r"and the model graph will be (completely|partially) executed"
)
_NOT_USED = re.compile(r"Though (\w+) delegate is explicitly applied, the model graph will not be")
_OF_CPU: Final = ("xnnpack", "ynnpack")
DISALLOWED: Final = "Disallowed CPU fallback detected."


@dataclass(frozen=True)
class Computed:
    """Who computed.

    Attributes:
        got: ``cpu``, ``gpu`` or ``npu``; None where the program says nothing of it.
        evidence: Its own words.
        whole: Whether that was the whole model.
    """

    got: AcceleratorKind | None
    evidence: str
    whole: bool


def computed_in(text: str, asked: AcceleratorKind) -> Computed:
    """Return who computed, as far as an output tells.

    Args:
        text: Standard output and errors.
        asked: What was to compute; no other than that and the processor was allowed to.
    """
    replaced = [(int(one), int(all_), name) for one, all_, name in _REPLACED.findall(text)]
    applied = _APPLIED.findall(text)
    unused = _NOT_USED.findall(text)
    told = [f"{name} runs {one} of {all_} nodes" for one, all_, name in replaced]
    told += [f"{name} delegate executes the model {how}" for name, how in applied]
    told += [f"{name} delegate does not execute the model" for name in unused]
    evidence = "; ".join(dict.fromkeys(told))
    if asked == "cpu":
        return Computed("cpu", evidence or "the program names no delegate", whole=True)
    if not told:
        return Computed(None, "", whole=False)
    other = [(one, all_) for one, all_, name in replaced if not _is_cpu(name)]
    others = [how for name, how in applied if not _is_cpu(name)]
    if not other and not others:
        return Computed("cpu", evidence, whole=True)
    whole = (
        all(one == all_ for one, all_ in other)
        and all(how == "completely" for how in others)
        and not any(_is_cpu(name) for _, _, name in replaced)
    )
    return Computed(asked, evidence, whole=whole)


def _is_cpu(name: str) -> bool:
    return any(each in name.lower() for each in _OF_CPU)
