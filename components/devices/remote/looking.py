"""Looking: what a device behind a shell is, and whether it can measure; nothing changes there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.contract.digests import digest
from components.devices.device import Seen
from components.devices.fingerprint import processor_in
from components.devices.remote.bundle.bare import BARE, brought_python
from components.devices.remote.bundle.building import check_can_build
from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.cores import CAPACITY_FILES, CLOCK_FILES, Core, clocks_of, cores_in
from components.devices.remote.foreign_python import FOUND_THERE, ForeignPython, fitting
from components.devices.remote.raw_files import RawFiles, reading_script
from components.devices.remote.settings import RemoteSettings
from components.devices.remote.shell import Shell
from components.devices.remote.states import SCRIPT, state_of

if TYPE_CHECKING:
    # Sent as text, so never imported: but a change of it has to change what is cached.
    from components.devices.remote import about_python as about_python  # noqa: PLC0414 named, never used

ABOUT_PYTHON = Path(__file__).with_name("about_python.py")
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LOOK_LIMIT_S = 15.0

_SERIALS = (
    "getprop ro.serialno",
    "/sys/firmware/devicetree/base/serial-number",
    "/proc/device-tree/serial-number",
    "/etc/machine-id",
)
"""The most telling first: copies of a memory card have the same machine-id."""
READING = reading_script(
    (
        BOOT_ID,
        *_SERIALS[1:],
        "/etc/os-release",
        "/proc/cpuinfo",
        "/proc/device-tree/model",
        CLOCK_FILES,
        CAPACITY_FILES,
    ),
    (
        "uname -r",
        "uname -m",
        _SERIALS[0],
        "getprop ro.product.model",
        "getprop ro.soc.model",
        "getprop ro.build.fingerprint",
    ),
)
PYTHONS = (*(f"python3.{minor}" for minor in range(14, 9, -1)), "python3")
"""Where a device's Python is looked for; the first that fits is taken."""

# Started as the probe will be; what a name leads to is not followed, so that a virtual environment
# stays one.
_FINDING = f"""\
dir=$1 about=$2
shift 2
case $dir in "~/"*) dir=$HOME/${{dir#"~/"}};; esac
printf '\\n=slimline= dir\\n%s\\n' "$dir"
for name; do
    path=$(command -v "$name") || continue
    printf '\\n=slimline= {FOUND_THERE}%s\\n' "$path"
    env -i "$path" -S -s -c "$about" "$dir" </dev/null 2>/dev/null
done
true
"""


@dataclass(frozen=True)
class Sight:
    """All that a look at a device brings.

    Attributes:
        seen: What others need of it.
        boot_id: Changes when it is started again.
        folder: Where to write there, absolute.
        cores: Those that a process may use.
        python: What to measure with.
        shell: Path of the one there, which starts a Python that is brought; empty where the
            device's own is used.
    """

    seen: Seen
    boot_id: str
    folder: str
    cores: tuple[Core, ...]
    python: ForeignPython
    shell: str = ""


def look_at(
    shell: Shell,
    name: str,
    settings: RemoteSettings,
    runtime: str,
    *,
    transport: str,
    address: str,
) -> Sight:
    """Look at a device.

    Args:
        shell: Of it.
        name: Its name in the configuration.
        settings: What it is to measure with.
        runtime: Version of the runtime that it will get.
        transport: How it is reached, for people.
        address: Where it is, in case that it knows no number of its own.

    Raises:
        UserError: It cannot run the runtime; says why.
        LostError: It went away.
    """
    names = (settings.python,) if settings.python else PYTHONS
    brings = settings.brings_python
    answer = shell.run(
        READING + SCRIPT + (BARE if brings else _FINDING),
        settings.dir,
        ABOUT_PYTHON.read_text(),
        *names,
        limit_s=LOOK_LIMIT_S,
    )
    raw = RawFiles.parse(answer.out)
    arch = raw.text("uname -m")
    lock = BundleLock.read() if brings else None
    pythons = [brought_python(raw, arch, lock)] if lock else _pythons(raw)
    python = fitting(pythons, arch, name, settings)
    if lock:
        check_can_build(arch, lock, runtime)
    cores = cores_in(raw, python.cores)
    facts = {
        "runtime": runtime,
        "python": python.version,
        "page_size": str(python.page_size or ""),
        "bundle": lock.digest_of(arch) if lock else "",
    }
    return Sight(
        seen=seen_in(raw, len(cores), facts, transport=transport, address=address),
        boot_id=raw.text(BOOT_ID),
        folder=raw.text("dir"),
        cores=cores,
        python=python,
        shell=raw.text("sh") if lock else "",
    )


def seen_in(
    raw: RawFiles, cores: int, facts: Mapping[str, str], *, transport: str, address: str
) -> Seen:
    """Return what others need of a device, out of what it printed.

    Args:
        raw: That.
        cores: How many a process may use.
        facts: What else makes measurements comparable.
        transport: How it is reached, for people.
        address: Where it is, in case that it knows no number of its own.
    """
    arch = raw.text("uname -m")
    fingerprint = {
        "cpu": processor_in(raw.text("/proc/cpuinfo"), raw.text("/proc/device-tree/model")) or arch,
        "cores": str(cores),
        "arch": arch,
        "kernel": raw.text("uname -r"),
        **_known(
            **facts,
            clocks=clocks_of(raw),
            os=_system(raw),
            model=raw.text("getprop ro.product.model"),
            soc=raw.text("getprop ro.soc.model"),
        ),
    }
    serial = raw.text(*_SERIALS) or address
    return Seen(digest("device", serial)[:16], fingerprint, state_of(raw), transport)


def _pythons(raw: RawFiles) -> list[ForeignPython]:
    found: list[ForeignPython] = []
    for place in raw.texts:
        told = raw.text(place)
        if place.startswith(FOUND_THERE) and told.startswith("{"):
            content = cast("dict[str, Any]", json.loads(told.splitlines()[0]))
            found.append(ForeignPython.from_json(place.removeprefix(FOUND_THERE), content))
    return found


def _system(raw: RawFiles) -> str:
    named = re.search(r'^PRETTY_NAME="?([^"\n]*)', raw.text("/etc/os-release"), re.MULTILINE)
    return raw.text("getprop ro.build.fingerprint") or (named[1] if named else "")


def _known(**facts: str) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact}
