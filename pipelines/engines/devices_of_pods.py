"""Devices that pods reach: asked before a run as pods will ask them, where that works from here.

Pods go by way of the machine that `kubeflow.devices` names. Whoever submits goes the same way with
settings of their own, and need not get through: then what a device said last stands for it, and
what nobody knows is measured anew.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from components.devices.remote.jump import Jump
from pipelines.engines.devices import keep_seen, kind_of, look_at, named_devices, unusable
from pipelines.runs.kept.devices_seen import last_fingerprints, read_device

if TYPE_CHECKING:
    from pipelines.config.configuration import Config
    from pipelines.engines.devices import Named
    from pipelines.runs.keys import Fingerprints
    from pipelines.stores.store import Store

KINDS = ("ssh", "adb")


def devices_of_pods(config: Config) -> list[Named]:
    """Return the devices of a configuration that pods reach by way of a machine."""
    return [(name, section) for name, section in named_devices(config) if kind_of(section) in KINDS]


def ask_for_pods(config: Config, store: Store) -> Fingerprints:
    """Ask the devices that pods will measure on, and return what is known of them.

    Args:
        config: What is to run on a cluster.
        store: Keeps what they say of themselves.

    Returns:
        The fingerprint of each that answered, now or at any time before.

    Raises:
        UserError: One answers, and cannot measure.
    """
    host = config.kubeflow and config.kubeflow.devices
    asked = devices_of_pods(config)
    if not (host and asked):
        return {}
    looked = look_at(asked, jump=Jump(host.host))
    keep_seen(store, looked)
    if faults := [one for one in looked if one.seen and one.fault]:
        raise unusable(faults, others=len(faults) < len(config.devices))
    found = {one.name: one.seen.fingerprint for one in looked if one.seen}
    for one in looked:
        if one.seen is None:
            last = read_device(store, one.name)
            said = f"what it said on {last.at} stands for it" if last else "it is measured anew"
            warnings.warn(
                f"{one.fault.what if one.fault else one.name}; pods will try, by way of "
                f"{host.host}; {said}",
                stacklevel=2,
            )
    silent = [one.name for one in looked if one.seen is None]
    return {**last_fingerprints(store, silent), **found}
