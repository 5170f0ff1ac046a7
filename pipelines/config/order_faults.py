"""Orders of steps without sense: two that decide on integers, training that undoes another step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from components.contract.interface import interface_of
from components.ml.techniques.channel_settings import STRUCTURED
from pipelines.config.faults import Fault, Location, where
from pipelines.config.pruning_faults import complete, idle_faults
from pipelines.config.sections import PathStep


def order_faults(location: Location, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    """Check what the steps of one path do to each other's work.

    Args:
        location: Of the variant.
        path: Its steps.
    """
    yield from _deciding_faults(location, path)
    for index, step in enumerate(path):
        place = (*location, index, step.component)
        if step.component == "cluster":
            yield from idle_faults(place, step.component, step.parameters)
            earlier = [one for one in path[:index] if one.component == "cluster"]
            if earlier and not _coarser(step, earlier[-1]):
                what = (
                    "cluster has decided already which weights share a value, and this one leaves "
                    "no fewer values of the same kind"
                )
                yield place, f"{where(place)}: {what}", "remove one of the two"
        if step.component == "quantize_aware" and step.parameters.get("method") == "tfmot":
            for undone in filter(_promises_weights, path[:index]):
                what = f"method tfmot does not keep what {undone.component} made of the weights"
                fix = "write method: own, which does"
                yield (*place, "method"), f"{where(place)}: {what}", fix


def _deciding_faults(location: Location, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    """Check that one step, the last, decides in what the file computes.

    Pruning may follow quantization-aware training, where the ranges are decided on again.
    """
    ends = [index for index, step in enumerate(path) if _ends_path(step)]
    for first, second in pairwise(ends):
        if not _prunes_after_rounding(path, first):
            decided, again = path[first].component, path[second].component
            place = (*location, second)
            what = f"{decided} has decided already in what the file computes; {again} would again"
            yield place, f"{where(place)}: {what}", "remove one of the two"
            return
    if not ends or ends[-1] == len(path) - 1:
        return
    place = (*location, ends[-1])
    if _prunes_after_rounding(path, ends[-1]):
        what = "pruning undoes the rounding that quantize_aware trained for, and nothing behind it"
        yield (
            place,
            f"{where(place)}: {what} decides again in what the file computes",
            "add quantize: {scheme: int8} at the end of the path, or move quantize_aware there",
        )
        return
    what = f"nothing can follow {path[ends[-1]].component}"
    yield place, f"{where(place)}: {what}", "move it to the end of the path"


def _ends_path(step: PathStep) -> bool:
    """Whether a step decides in what the file computes."""
    return interface_of(step.component).path == "last"


def _prunes_after_rounding(path: tuple[PathStep, ...], end: int) -> bool:
    """Whether a network that was trained through its rounding is pruned right after that."""
    pruned = end + 1 < len(path) and path[end + 1].component == "prune"
    return path[end].component == "quantize_aware" and pruned


def _promises_weights(step: PathStep) -> bool:
    """Whether a step leaves zeros or shared values, which training would undo."""
    zeros = step.component == "prune" and step.parameters.get("method") not in STRUCTURED
    return zeros or step.component == "cluster"


def _coarser(step: PathStep, earlier: PathStep) -> bool:
    """Whether a step that clusters leaves fewer values of the same kind than one before it."""
    now, before = complete(step), complete(earlier)
    if now["method"] != before["method"]:
        return False
    if now["method"] == "grid":
        return _count(now, "bits") < _count(before, "bits")
    return now["per"] == before["per"] and _count(now, "clusters") < _count(before, "clusters")


def _count(parameters: Mapping[str, object], name: str) -> int:
    """Return a count; 0 where it is none, which is told of the parameter itself."""
    value = parameters[name]
    return value if isinstance(value, int) else 0
