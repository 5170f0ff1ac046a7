"""Whether the settings of a network mean anything beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from components.contract.errors import UserError
from components.contract.interface import fields_of
from components.ml.settings import Network


def check_network(network: Network) -> None:
    """Refuse settings that mean nothing beside the others.

    Raises:
        UserError: Names the first of them; what has its usual value is none.
    """
    values = asdict(network)
    for parameter in fields_of(Network, Network()):
        if values[parameter.name] == parameter.default:
            continue
        if rule := parameter.unmet(values):
            raise UserError(
                f"{parameter.name} is {values[parameter.name]} and means nothing for "
                f"{rule.parameter} {values[rule.parameter]}",
                f"leave {parameter.name} away, or set {rule.in_words}",
            )
    for _, what, fix in block_faults(values):
        raise UserError(what, fix)


def block_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Check what is said of single blocks against the widths that say how many there are.

    Args:
        values: Of the fields of ``Network``, by their names.

    Yields:
        The field, what is wrong, and what to do.
    """
    widths, residuals = values["widths"], values["residuals"]
    told = {"stem": values["stem"] != "half", "residuals": residuals is not None}
    for name in (name for name, given in told.items() if given and widths is None):
        what = f"{name} is {values[name]} and is about blocks of given widths, and there are none"
        yield name, what, f"leave {name} away, or set widths: [16, 32, 64, 64]"
    if widths is None or residuals is None or len(widths) == len(residuals):
        return
    fitting = [*residuals, *[0] * len(widths)][: len(widths)]
    what = f"residuals is {residuals} and widths {widths}: one number for each block is needed"
    yield "residuals", what, f"set residuals: {fitting}"


def without_idle(network: Network, defaults: Network) -> Network:
    """Return a network with the usual values in place of defaults that mean nothing for it.

    Args:
        network: As it was given.
        defaults: What it has where nothing was given, such as a student's width.
    """
    values, usual = asdict(network), asdict(defaults)
    idle = {
        parameter.name: parameter.default
        for parameter in fields_of(Network, Network())
        if values[parameter.name] == usual[parameter.name] and parameter.unmet(values)
    }
    return replace(network, **idle)
