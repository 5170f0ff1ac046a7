"""Discovering: phones that hang on this machine and that no configuration has named yet."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from components.devices.remote.adb_list import phones_here
from pipelines.config.device_section import NAME_CHARACTERS_MAX, DeviceSection
from pipelines.config.devices import device_of
from pipelines.engines.devices import Named, kind_of


def phones_not_among(known: Collection[Named]) -> list[Named]:
    """Return the phones that adb lists here and that none of these devices is, with names.

    Machines that ssh reaches are not looked for.

    Args:
        known: Devices of a store or a configuration, with their names.

    Raises:
        UserError: adb cannot be asked.
    """
    parameters = [section.parameters for _, section in known if kind_of(section) == "adb"]
    serials = {each["serial"] for each in parameters if not each.get("via")}
    names = {name for name, _ in known}
    found: list[Named] = []
    for phone in phones_here():
        if phone.serial in serials:
            continue
        section = device_of({"kind": "adb", "serial": phone.serial})
        model = re.sub("[^a-z0-9]+", "-", phone.model.lower())[:NAME_CHARACTERS_MAX].strip("-")
        name = model if model and model not in names else section.usual_name
        names.add(name)
        found.append((name, device_of({"kind": "adb", "serial": phone.serial, "name": name})))
    return found


def line_of(name: str, section: DeviceSection) -> str:
    """Return the line that adds a phone to ``devices`` of a configuration.

    Args:
        name: What it is to be called.
        section: How it is reached.
    """
    serial = str(section.parameters["serial"])
    plain = re.fullmatch("[A-Z][A-Za-z0-9]+", serial)  # else YAML may take it for a number
    return f"- {{kind: adb, serial: {serial if plain else json.dumps(serial)}, name: {name}}}"
