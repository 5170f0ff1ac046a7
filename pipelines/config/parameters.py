"""Which parameters of a component a configuration offers, and how the host fills in the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from components import COMPONENTS
from components.contract.interface import Interface, Parameter, interface_of
from components.contract.types import FromGraph, Offered


@cache
def steps_of_paths() -> tuple[str, ...]:
    """Return the components that a variant's path may be made of."""
    return tuple(name for name in COMPONENTS if interface_of(name).path)


@cache
def offered(component: str) -> Interface:
    """Return the interface with the parameters that a configuration may give, as it calls them."""
    interface = interface_of(component)
    return replace(
        interface,
        parameters=tuple(
            replace(parameter, name=_short(parameter))
            for parameter in interface.parameters
            if not parameter.marker(FromGraph)
        ),
    )


def _short(parameter: Parameter) -> str:
    """Return what a configuration calls a parameter: ``split: {by: image}`` for ``split_by``."""
    marker = parameter.marker(Offered)
    return marker.name if marker else parameter.name


def shared_keys(component: str) -> tuple[str, ...]:
    """Return the keys at the top of a configuration that are parameters of steps, too.

    What measures a model runs it as an app would, on the threads that its component says.
    """
    threads = ("threads",) if interface_of(component).image == "train" else ()
    return ("seed", "task", "confidence", *threads)


SEARCH_PARTS = ("search", "cost_samples")
"""Components whose parameters stand under ``search``, each under the first that has it."""


def search_parameters(given: Mapping[str, object], component: str) -> dict[str, object]:
    """Return which of the parameters under ``search`` a component has, as the space both have.

    Args:
        given: What stands there.
        component: One of ``SEARCH_PARTS``.
    """
    known = {parameter.name for parameter in offered(component).parameters}
    return {name: value for name, value in given.items() if name in known}


def filled(
    component: str,
    given: Mapping[str, object],
    *,
    fixed: Mapping[str, object] | None = None,
    unless_given: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the complete parameters of a step.

    Args:
        component: Which one.
        given: What the configuration gives, as it calls them.
        fixed: What follows from the graph; names that the component must have.
        unless_given: What holds for the whole configuration, such as seed and threads; names that
            the component does not have are left out.
    """
    interface = interface_of(component)
    names = {_short(parameter): parameter.name for parameter in interface.parameters}
    known = {parameter.name for parameter in interface.parameters}
    values = {name: value for name, value in (unless_given or {}).items() if name in known}
    values |= {names.get(name, name): value for name, value in given.items()}
    values |= fixed or {}
    return interface.complete(values, where=component)
