"""Faults of a list of devices: two that are one, names that others have, and what needs a host."""

from __future__ import annotations

from collections.abc import Iterator

from components.ml.techniques.channel_settings import predicts_latency
from pipelines.config.configuration import Config
from pipelines.config.devices import HOST, HostDevice
from pipelines.config.faults import Fault
from pipelines.config.sections import LINEAR, REFERENCE


def device_faults(config: Config) -> Iterator[Fault]:
    """Check that every device, and every step that measures on one, has a name of its own."""
    seen: dict[str, int] = {}
    for index, (device, name) in enumerate(zip(config.devices, config.device_names, strict=True)):
        before = config.devices[seen[name]] if name in seen else None
        if before and isinstance(device, HostDevice) and isinstance(before, HostDevice):
            fix = "remove one, or give it other threads"
            yield ("devices",), "devices: one is listed twice", fix
        elif before:
            yield (
                ("devices", index),
                f"devices[{index}]: {name!r} is what another device is called",
                f"give it a name of its own, such as name: {_free(name, config.device_names)}",
            )
        elif name == HOST and not isinstance(device, HostDevice):
            yield (
                ("devices", index, "name"),
                f"devices[{index}].name: {HOST} is this machine, and nothing else is called so",
                "give it another name, such as name: board",
            )
        seen.setdefault(name, index)
    yield from _step_faults(config)
    yield from _choice_faults(config)
    yield from _cost_faults(config)


def _free(name: str, taken: tuple[str, ...]) -> str:
    number = 2
    while f"{name[:36]}-{number}" in taken:
        number += 1
    return f"{name[:36]}-{number}"


def _step_faults(config: Config) -> Iterator[Fault]:
    """Refuse two steps of one name: a variant's and a device's are joined by a hyphen."""
    steps: dict[str, tuple[str, int]] = {}
    for variant in (REFERENCE, *config.variants, LINEAR):
        for index, name in enumerate(config.device_names):
            other, before = steps.setdefault(f"{variant}-{name}", (variant, index))
            if other == variant:
                continue
            both = f"the steps of {variant} on {name}, and of {other} on another device"
            longer = max(index, before, key=lambda each: len(config.device_names[each]))
            short = config.device_names[longer].replace("-", "")
            yield (
                ("devices", longer),
                f"devices[{longer}]: {both}, would be called benchmark-{variant}-{name}",
                f"give it a name without hyphens, such as name: {short}",
            )


def _choice_faults(config: Config) -> Iterator[Fault]:
    """Refuse a choice for each device where there is one device, or steps of one name."""
    if config.chosen_devices is None:
        return
    if len(config.devices) == 1:
        yield (
            ("select", "per"),
            f"select.per: {config.device_names[0]} is the only device, so one file is for all",
            "list another one under devices, or remove per",
        )
    taken = "would be called as one of another name, with select.per: device"
    for index, name in enumerate(config.device_names):
        if name == REFERENCE:
            yield (
                ("devices", index),
                f"devices[{index}]: the step evaluate-sealed-{name} {taken}",
                "give it another name, such as name: board",
            )
        if (variant := f"sealed-{name}") in config.variants:
            yield (
                ("variants", variant),
                f"variants.{variant}: its step evaluate-{variant} {taken}",
                f"call the variant something else, such as {name}-sealed",
            )


def _cost_faults(config: Config) -> Iterator[Fault]:
    """Refuse predictions of costs without this machine: small networks are timed on it alone."""
    if any(isinstance(device, HostDevice) for device in config.devices):
        return
    what = "it predicts what networks cost from some that are timed on this machine"
    add = "add host to devices, or"
    if config.search is not None:
        yield ("search",), f"search: {what}, which devices does not list", f"{add} remove search"
    for variant, path in config.variants.items():
        for index, step in enumerate(path):
            if step.component == "prune" and predicts_latency(step.parameters):
                place = f"variants.{variant}[{index}].prune"
                yield (
                    ("variants", variant, index, "prune"),
                    f"{place}: {what}, which devices does not list",
                    f"{add} write target: macs",
                )
