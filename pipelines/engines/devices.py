"""Reaching the devices of a configuration: who opens which kind, and whether they can measure.

Before a run begins every device is asked at the same time: a phone that is missing must not be
noticed when all trainings are done.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.devices.device import LostError
from components.devices.remote.states import fault_of
from pipelines.config.device_section import DeviceSection
from pipelines.config.devices import HOST, device_of
from pipelines.config.parameters import filled
from pipelines.config.shell_device import ShellDevice
from pipelines.runs.kept.devices_seen import DeviceSeen, put_device, read_device
from pipelines.runs.moments import now

if TYPE_CHECKING:
    from components.devices.device import Device, Seen
    from components.devices.remote.jump import Jump
    from pipelines.config.configuration import Config
    from pipelines.runs.keys import Fingerprints
    from pipelines.stores.store import Store

ANSWER_S = 15.0
"""How long a device is waited for that is asked what it is."""

Named = tuple[str, DeviceSection]
"""A device of a configuration, after its name."""


def _host(name: str, arguments: Mapping[str, Any], jump: Jump | None) -> Device:  # noqa: ARG001 as of all kinds
    from components.devices.host import Host

    return Host()


def _ssh(name: str, arguments: Mapping[str, Any], jump: Jump | None) -> Device:
    from components.devices.remote.ssh_device import open_ssh

    return open_ssh(name, arguments["reached"], arguments["runner"], jump=jump)


def _adb(name: str, arguments: Mapping[str, Any], jump: Jump | None) -> Device:
    from components.devices.remote.adb_device import open_adb

    return open_adb(name, arguments["reached"], arguments["runner"], jump=jump)


def _browser(name: str, arguments: Mapping[str, Any], jump: Jump | None) -> Device:  # noqa: ARG001 as of all kinds
    from components.devices.browser.device import open_browser

    return open_browser(name, arguments["opened"])


OPENERS: Mapping[str, Callable[[str, Mapping[str, Any], Jump | None], Device]] = {
    HOST: _host, "ssh": _ssh, "adb": _adb, "browser": _browser,
}  # fmt: skip
"""By kind what opens a device, given its name, the arguments of the component that measures on it,
and the machine by way of which it is reached, if any. Kinds that are missing here measure no time
on anything."""


@dataclass(frozen=True)
class Looked:
    """What came of asking a device.

    Attributes:
        name: Of the device.
        section: The section of the configuration that says how it is reached.
        seen: What it says of itself; None where it did not answer, or cannot run a model.
        fault: Why it cannot; None where it can.
    """

    name: str
    section: DeviceSection
    seen: Seen | None
    fault: UserError | None


def kind_of(section: DeviceSection) -> str:
    """Return the kind of a device."""
    return str(getattr(section, "kind"))  # noqa: B009 every class of a kind has one


def named_devices(config: Config) -> list[Named]:
    """Return the devices of a configuration that can be asked, with their names."""
    listed = zip(config.device_names, config.devices, strict=True)
    return [(name, section) for name, section in listed if kind_of(section) in OPENERS]


def open_device(name: str, section: DeviceSection, jump: Jump | None = None) -> Device:
    """Open a device; nothing is sent to it yet.

    Args:
        name: What the configuration calls it.
        section: How it is reached; checked before.
        jump: The machine by way of which it is reached; None: as the user's settings say.

    Raises:
        UserError: The program that reaches it, such as ``ssh``, is not there.
    """
    return OPENERS[kind_of(section)](name, _arguments(name, section), jump)


def _arguments(name: str, section: DeviceSection) -> Mapping[str, Any]:
    """Return what the component that measures on a device is called with, and its runner's path."""
    called = HOST if kind_of(section) == HOST else name
    complete = filled(section.component, section.parameters, fixed={"device": called})
    runner = section.runner if isinstance(section, ShellDevice) else None
    arguments = interface_of(section.component).arguments(complete)
    return {**arguments, "runner": Path(runner) if runner else None}


def look_at(
    devices: Iterable[Named], answer_s: float = ANSWER_S, jump: Jump | None = None
) -> list[Looked]:
    """Ask devices what they are, all at the same time; nothing on them is changed.

    Args:
        devices: Of kinds that can be asked.
        answer_s: How long each is waited for.
        jump: The machine by way of which they are reached; None: as the user's settings say.

    Returns:
        What came of it, in the order of the devices.
    """
    asked = list(devices)
    answers: queue.SimpleQueue[Looked | BaseException] = queue.SimpleQueue()
    for name, section in asked:
        # Whoever hangs is left behind: it must not keep this process from ending, either.
        arguments = (answers, name, section, jump)
        threading.Thread(target=_answer, args=arguments, daemon=True).start()
    found: dict[str, Looked] = {}
    deadline = time.monotonic() + answer_s
    while len(found) < len(asked):
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(answer, BaseException):
            raise answer
        found[answer.name] = answer
    return [found.get(name) or _silent(name, section, answer_s) for name, section in asked]


def _answer(
    answers: queue.SimpleQueue[Looked | BaseException],
    name: str,
    section: DeviceSection,
    jump: Jump | None,
) -> None:
    try:
        answers.put(_look(name, section, jump))
    except BaseException as error:  # noqa: BLE001 raised again by the thread that waits
        answers.put(error)


def _look(name: str, section: DeviceSection, jump: Jump | None) -> Looked:
    try:
        device = open_device(name, section, jump)
        try:
            return _answered(device, name, section)
        finally:
            device.close()
    except UserError as error:
        return Looked(name, section, None, error)
    except LostError as error:
        lost = UserError(f"{name} went away while it was asked what it is: {error}", _PLUG)
        return Looked(name, section, None, lost)


def _answered(device: Device, name: str, section: DeviceSection) -> Looked:
    seen = device.look()
    if fault := fault_of(seen.state):
        return Looked(name, section, seen, UserError(f"{name} {fault[0]}", fault[1]))
    try:
        device.check(_arguments(name, section)["plan"])
    except UserError as error:
        return Looked(name, section, seen, error)
    return Looked(name, section, seen, None)


_PLUG = "check its cable, hub and power, then try again"


def _silent(name: str, section: DeviceSection, answer_s: float) -> Looked:
    fault = UserError(f"{name} did not answer within {answer_s:g} seconds", _PLUG)
    return Looked(name, section, None, fault)


def clean_device(name: str, section: DeviceSection) -> str:
    """Remove from a device all that slimline has put there.

    Args:
        name: What the configuration calls it.
        section: How it is reached.

    Returns:
        The folder that is gone.

    Raises:
        UserError: It does not answer, has other files in that folder, or nothing is put on devices
            of its kind.
    """
    from components.devices.remote.device import RemoteDevice

    device = open_device(name, section)
    try:
        if not isinstance(device, RemoteDevice):
            raise UserError(
                f"{name} is a device of kind {kind_of(section)}, and nothing is ever put on one",
                "name one of kind ssh or adb; slimline devices lists them",
            )
        device.clean()
    except LostError as error:
        raise UserError(f"{name} went away while it was cleaned: {error}", _PLUG) from None
    finally:
        device.close()
    return str(_arguments(name, section)["reached"].dir)


def keep_seen(store: Store, looked: Iterable[Looked]) -> None:
    """Keep of other devices that answered how they were, for when they are unplugged.

    Raises:
        UserError: The store fails.
    """
    for one in looked:
        if one.seen and kind_of(one.section) != HOST:
            section = one.section.model_dump(mode="json")
            seen = DeviceSeen(one.name, section, now(), one.seen.id, dict(one.seen.fingerprint))
            put_device(store, seen)


def check_devices(
    config: Config, store: Store, spared: Callable[[Looked, Fingerprints], bool] | None = None
) -> Fingerprints:
    """Ask every device of a configuration whether it can measure, before anything else is done.

    Args:
        config: What is to run.
        store: Keeps what they say of themselves.
        spared: Says of one that cannot, given the fingerprints of all that are known, those of
            silent ones as they were last, whether the run can do without; None: it never can.

    Returns:
        The fingerprint of each that is not this machine.

    Raises:
        UserError: One cannot, and is needed.
    """
    looked = look_at(named_devices(config))
    keep_seen(store, looked)
    others = [one for one in looked if kind_of(one.section) != HOST]
    found = {one.name: one.seen.fingerprint for one in others if one.seen}
    faults = [one for one in looked if one.fault]
    if faults and spared is not None:
        silent = (one for one in others if not one.seen)
        last = [(one.name, _as_seen_last(store, one)) for one in silent]
        found |= {name: fingerprint for name, fingerprint in last if fingerprint}
        faults = [one for one in faults if one.name not in found or not spared(one, found)]
    if faults:
        raise unusable(faults, others=len(faults) < len(config.devices))
    return found


def _as_seen_last(store: Store, silent: Looked) -> Mapping[str, str] | None:
    """Return the fingerprint of a device as it was last, if its name still means that device."""
    seen = read_device(store, silent.name)
    if seen is None:
        return None
    before, section = device_of(seen.section), silent.section
    same = type(before) is type(section) and all(
        before.parameters.get(key) == section.parameters.get(key) for key in section.told_apart_by
    )
    return seen.fingerprint if same else None


def unusable(faults: Sequence[Looked], *, others: bool) -> UserError:
    """Return the error of devices that cannot measure, and how to go on without them."""
    errors = [(one.name, one.fault) for one in faults if one.fault]
    leave = f"; or leave it out: --without {errors[0][0]}"
    if len(errors) > 1:
        leave = f"; or leave them out: {' '.join(f'--without {name}' for name, _ in errors)}"
    if not others:
        leave = f"; or measure on this machine: devices: [{HOST}]"
    whats = [_after(name, error.what) for name, error in errors]
    fixes = [error.fix if len(errors) == 1 else _after(name, error.fix) for name, error in errors]
    return UserError("; ".join(whats), f"{'; '.join(fixes)}{leave}")


def _after(name: str, text: str) -> str:
    """Return a sentence that says which device it is about."""
    return text if text.startswith(name) else f"{name}: {text}"
