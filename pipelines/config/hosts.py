"""Hosts: this machine among the devices of a configuration, and how fast a file must be on it."""

from __future__ import annotations

from pipelines.config.configuration import Config
from pipelines.config.devices import HostDevice


def hosts(config: Config) -> list[tuple[HostDevice, str]]:
    """Return this machine, as often as it is listed, with its names."""
    listed = zip(config.devices, config.device_names, strict=True)
    return [(device, name) for device, name in listed if isinstance(device, HostDevice)]


def tightest_ms(config: Config) -> float | None:
    """Return the least latency that this machine has to keep, which predictions are of."""
    own = config.budgets.by_device or {}
    limits = [
        own.get(name, {}).get("latency_ms", config.budgets.latency_ms) for _, name in hosts(config)
    ]
    return min((limit for limit in limits if limit is not None), default=None)
