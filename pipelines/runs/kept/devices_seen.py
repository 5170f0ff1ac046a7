"""Devices that were seen, in ``devices/NAME.json``: the last time that each of them answered.

What a measurement on a device is worth hangs on the device's fingerprint, which is part of step
keys. With the last one seen it can be said what a run would do while the device is unplugged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from pipelines.runs.keys import Fingerprints
from pipelines.stores.layout import DEVICES, device_key, kind_of
from pipelines.stores.store import KeyMissing, Store


@dataclass(frozen=True)
class DeviceSeen:
    """A device that answered.

    Attributes:
        name: What the configuration calls it.
        section: The section of the configuration that says how it is reached, ``kind`` included.
        at: When it answered last: ISO 8601, UTC.
        id: Digest of its serial number or machine-id.
        fingerprint: What makes two measurements on it comparable.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    name: Annotated[str, Field(min_length=1)]
    section: Mapping[str, Any]
    at: str
    id: str
    fingerprint: Mapping[str, str]
    schema: Literal[1] = 1


_SEEN = TypeAdapter(DeviceSeen)


def put_device(store: Store, seen: DeviceSeen) -> None:
    """Keep that a device was seen, in place of the time before; whoever writes last is right.

    Raises:
        UserError: The store fails.
    """
    key, data = device_key(seen.name), canonical_json(asdict(seen))
    while not store.put_if_absent(key, data):
        stat = store.stat(key)
        if stat and store.replace_if_match(key, data, stat.version):
            return


def read_device(store: Store, name: str) -> DeviceSeen | None:
    """Return how a device was when it was seen last; None where it never was, or nobody can read.

    Raises:
        UserError: The store fails.
    """
    try:
        seen = parse_device(store.get(device_key(name)))
    except (KeyMissing, ValueError):
        return None
    return seen if seen.name == name else None


def list_devices(store: Store) -> list[DeviceSeen]:
    """Return every device that was seen, by name; what is damaged ``slimline verify`` names.

    Raises:
        UserError: The store fails.
    """
    keys = [key for key in store.list(DEVICES) if kind_of(key) == "device"]
    names = [key.removeprefix(DEVICES).removesuffix(".json") for key in keys]
    return [seen for name in names if (seen := read_device(store, name))]


def last_fingerprints(store: Store, names: Iterable[str]) -> Fingerprints:
    """Return the fingerprints of those of these devices that were seen, as they were last.

    Raises:
        UserError: The store fails.
    """
    seen = (read_device(store, name) for name in names)
    return {each.name: each.fingerprint for each in seen if each}


def parse_device(data: bytes) -> DeviceSeen:
    """Return what these bytes say of a device.

    Raises:
        ValueError: They are something else.
    """
    try:
        return _SEEN.validate_json(data)
    except ValidationError as error:
        raise ValueError(str(error)) from None
