"""What a configuration can know of pruning: parameters without meaning, orders without sense."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.types import OnlyWith
from components.ml.techniques.channel_settings import STRUCTURED
from pipelines.config.faults import Fault, Location, where
from pipelines.config.parameters import offered
from pipelines.config.sections import Parameters, PathStep


def pruning_faults(location: Location, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    """Check the steps of one path that prune.

    Args:
        location: Of the variant.
        path: Its steps.
    """
    for index, step in enumerate(path):
        if step.component != "prune":
            continue
        place = (*location, index, step.component)
        yield from idle_faults(place, step.component, step.parameters)
        if _removes_structure(step) and any(map(_makes_zeros, path[:index])):
            lost = "it trains the network again, and zeros of an earlier step would be lost"
            fix = "move the step that prunes weights behind this one"
            yield place, f"{where(place)}: {lost}", fix
        if any(earlier.component == "cluster" for earlier in path[:index]):
            lost = "it trains every weight by itself, and values that cluster shared would be lost"
            yield place, f"{where(place)}: {lost}", "move cluster behind this step"
        if _makes_zeros(step):
            shares = [_sparsity(earlier) for earlier in path[:index] if _makes_zeros(earlier)]
            if shares and _sparsity(step) <= max(shares):
                what = f"and a step before it left {max(shares):.0%} of the weights at 0 already"
                fix = f"write a sparsity above {max(shares):g}, or remove one of the two"
                yield (*place, "sparsity"), f"{where(place)}: it chooses zeros anew, {what}", fix


def complete(step: PathStep) -> Parameters:
    """Return the parameters of a step as a configuration calls them, with what is usual."""
    usual = {parameter.name: parameter.default for parameter in offered(step.component).parameters}
    return usual | dict(step.parameters)


def _sparsity(step: PathStep) -> float:
    """Return the share of zeros; 0 where it is no number, which is told of the parameter itself."""
    share = complete(step)["sparsity"]
    return share if isinstance(share, float) else 0.0


def _removes_structure(step: PathStep) -> bool:
    return step.parameters.get("method") in STRUCTURED


def _makes_zeros(step: PathStep) -> bool:
    return step.component == "prune" and not _removes_structure(step)


def idle_faults(location: Location, component: str, given: Parameters) -> Iterator[Fault]:
    """Refuse parameters that mean nothing with this method, which would be dropped in silence."""
    known = {parameter.name: parameter for parameter in offered(component).parameters}
    values = {name: parameter.default for name, parameter in known.items()} | dict(given)
    for name in given:
        rule = known[name].marker(OnlyWith) if name in known else None
        if rule is None or known[name].matters(values):
            continue
        place, first = where((*location, name)), rule.values[0]
        needed = " or ".join(map(str, rule.values))
        what = f"{place}: {rule.parameter}: {needed} alone has it"
        yield (
            (*location, name),
            f"{what}, and {rule.parameter} is {values[rule.parameter]}",
            f"remove {name} there, or write {rule.parameter}: {first}",
        )
