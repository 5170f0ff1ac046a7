"""Looking at a device that a runner measures on: it needs no Python, so none is looked for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from components.devices.device import Seen
from components.devices.remote.cores import Core, cores_in
from components.devices.remote.looking import BOOT_ID, LOOK_LIMIT_S, READING, seen_in
from components.devices.remote.raw_files import RawFiles, reading_script
from components.devices.remote.settings import RemoteSettings
from components.devices.remote.shell import Shell
from components.devices.remote.states import SCRIPT

_STATUS = "/proc/self/status"
_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*([\d,-]+)", re.MULTILINE)
_PLACE = """\
case $1 in "~/"*) set -- "$HOME/${1#"~/"}" "$2";; esac
printf '\\n=slimline= dir\\n%s\\n' "$1"
[ -z "$2" ] || { printf '\\n=slimline= libraries\\n'; cd "$2" && sha256sum *.so; } 2>/dev/null
true
"""


@dataclass(frozen=True)
class RunnerSight:
    """All that a look at such a device brings.

    Attributes:
        seen: What others need of it.
        boot_id: Changes when it is started again.
        folder: Where to write there, absolute.
        cores: Those that a process may use.
        libraries: Whether the folder of libraries is there and holds any.
    """

    seen: Seen
    boot_id: str
    folder: str
    cores: tuple[Core, ...]
    libraries: bool


def look_for_runner(
    shell: Shell, settings: RemoteSettings, *, transport: str, address: str
) -> RunnerSight:
    """Look at a device; nothing changes there.

    Args:
        shell: Of it.
        settings: What it is to measure with.
        transport: How it is reached, for people.
        address: Where it is, in case that it knows no number of its own.

    Raises:
        UserError: It cannot be reached; says why.
        LostError: It went away.
    """
    script = READING + reading_script((_STATUS,), ()) + SCRIPT + _PLACE
    answer = shell.run(script, settings.dir, settings.libraries or "", limit_s=LOOK_LIMIT_S)
    raw = RawFiles.parse(answer.out)
    allowed = _ALLOWED.search(raw.text(_STATUS))
    cores = cores_in(raw, _numbers(allowed[1]) if allowed else ())
    facts = {"runtime": "runner"}
    if libraries := raw.text("libraries"):
        facts["libraries"] = hashlib.sha256(libraries.encode()).hexdigest()[:16]
    return RunnerSight(
        seen=seen_in(raw, len(cores), facts, transport=transport, address=address),
        boot_id=raw.text(BOOT_ID),
        folder=raw.text("dir"),
        cores=cores,
        libraries=bool(libraries),
    )


def _numbers(ranges: str) -> tuple[int, ...]:
    """Return what the kernel means by ``0-3,6``."""
    found: list[int] = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
