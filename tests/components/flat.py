"""Components called with their parameters under their flat names, as everybody outside does."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from components.contract.interface import function_of, interface_of


def flat(name: str) -> Callable[..., None]:
    """The component ``name``, its parts put together from the parameters that they consist of."""
    interface, function = interface_of(name), function_of(name)
    defaults = {item.name: item.default for item in interface.parameters if not item.required}

    @wraps(function)
    def call(*paths: Any, **given: Any) -> None:
        ports = {port.name for port in (*interface.inputs, *interface.outputs)}
        named = {key: value for key, value in given.items() if key in ports}
        parameters = {key: value for key, value in given.items() if key not in ports}
        function(*paths, **named, **interface.arguments({**defaults, **parameters}))

    return call


benchmark = flat("benchmark")
evaluate = flat("evaluate")
ingest = flat("ingest")
publish = flat("publish")
quantize = flat("quantize")
select = flat("select")
