"""Orders of steps without sense: two that decide on integers, training that undoes another step."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.interface import interface_of
from components.ml.techniques.channel_settings import STRUCTURED
from pipelines.config.faults import Fault, Location, where
from pipelines.config.pruning_faults import idle_faults
from pipelines.config.sections import PathStep


def order_faults(location: Location, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    """Check what the steps of one path do to each other's work.

    Args:
        location: Of the variant.
        path: Its steps.
    """
    ends = [index for index, step in enumerate(path) if ends_paths(step)]
    if len(ends) > 1:
        decided, again = (path[index].component for index in ends[:2])
        place = (*location, ends[1])
        what = f"{decided} has decided already in what the file computes"
        yield place, f"{where(place)}: {what}; {again} would again", "remove one of the two"
    for index, step in enumerate(path):
        place = (*location, index, step.component)
        if step.component == "cluster":
            yield from idle_faults(place, step.component, step.parameters)
        if step.component == "quantize_aware" and step.parameters.get("method") == "tfmot":
            for undone in filter(_promises_weights, path[:index]):
                what = f"method tfmot does not keep what {undone.component} made of the weights"
                fix = "write method: own, which does"
                yield (*place, "method"), f"{where(place)}: {what}", fix


def ends_paths(step: PathStep) -> bool:
    """Whether nothing can follow a step."""
    return interface_of(step.component).path == "last"


def _promises_weights(step: PathStep) -> bool:
    """Whether a step leaves zeros or shared values, which training would undo."""
    zeros = step.component == "prune" and step.parameters.get("method") not in STRUCTURED
    return zeros or step.component == "cluster"
