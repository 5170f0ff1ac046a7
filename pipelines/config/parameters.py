"""Which parameters of a component a configuration offers, and how the host fills in the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from components.contract.interface import Interface, interface_of

_FILLED: Mapping[str, frozenset[str]] = {
    "ingest": frozenset({"task", "height", "width", "channels", "maximum"}),
    "train": frozenset({"trusted"}),
    "evaluate": frozenset({"split", "confidence"}),
    "benchmark": frozenset({"device", "confidence"}),
    "select": frozenset(
        {"names", "devices", "candidates", "task", "metric", "drop", "size_mb", "latency_ms"}
        | {"minimize", "confidence"}
    ),
}
"""What is told elsewhere in a configuration, or follows from the graph."""

_SHORT: Mapping[str, Mapping[str, str]] = {
    "ingest": {"split_by": "by", "sealed_fraction": "sealed"},
}
"""Names that read better under their heading: ``split: {by: image}``."""


@cache
def offered(component: str) -> Interface:
    """Return the interface with the parameters that a configuration may give, as it calls them."""
    interface = interface_of(component)
    hidden = _FILLED.get(component, frozenset())
    short = _SHORT.get(component, {})
    return replace(
        interface,
        parameters=tuple(
            replace(parameter, name=short.get(parameter.name, parameter.name))
            for parameter in interface.parameters
            if parameter.name not in hidden
        ),
    )


def component_name(component: str, name: str) -> str:
    """Return what the component calls the parameter that a configuration calls ``name``."""
    long = {short: name for name, short in _SHORT.get(component, {}).items()}
    return long.get(name, name)


def filled(
    component: str,
    given: Mapping[str, object],
    *,
    always: Mapping[str, object] | None = None,
    unless_given: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the complete parameters of a step.

    Args:
        component: Which one.
        given: What the configuration gives, as it calls them.
        always: What follows from the graph; names that the component must have.
        unless_given: What holds for the whole configuration, such as seed and threads; names that
            the component does not have are left out.
    """
    interface = interface_of(component)
    known = {parameter.name for parameter in interface.parameters}
    values = {name: value for name, value in (unless_given or {}).items() if name in known}
    values |= {component_name(component, name): value for name, value in given.items()}
    values |= always or {}
    return interface.complete(values, where=component)
