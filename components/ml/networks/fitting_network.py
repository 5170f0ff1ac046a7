"""Whether the settings of a network mean anything for its backbone."""

from __future__ import annotations

from dataclasses import asdict, replace

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
