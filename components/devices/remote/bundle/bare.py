"""Bare devices: what can be known of one without a Python there, for the Python that is brought."""

from __future__ import annotations

import re

from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.foreign_python import ForeignPython
from components.devices.remote.raw_files import RawFiles

_STATUS, _MAPS, _MOUNTS = "/proc/self/status", "head -n 30 /proc/self/smaps", "/proc/mounts"

# What is read runs in a process of its own, on the processors that a probe may have, too.
BARE = f"""\
dir=$1
case $dir in "~/"*) dir=$HOME/${{dir#"~/"}};; esac
printf '\\n=slimline= dir\\n%s\\n' "$dir"
show {_STATUS} {_MOUNTS}
say {_MAPS}
nearest=$dir
while [ ! -d "$nearest" ]; do nearest=${{nearest%/*}}; nearest=${{nearest:-/}}; done
printf '\\n=slimline= nearest\\n%s\\n' "$(cd -P "$nearest" && pwd -P)"
if [ -w "$nearest" ]; then printf '\\n=slimline= writable\\nyes\\n'; fi
printf '\\n=slimline= sh\\n%s\\n' "$(command -v sh)"
true
"""


def brought_python(raw: RawFiles, arch: str, lock: BundleLock) -> ForeignPython:
    """Return the Python that a bundle brings to a device, as if it were there.

    Args:
        raw: What ``BARE`` printed.
        arch: As the device's kernel says.
        lock: What the bundle is made of.
    """
    allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)", raw.text(_STATUS), re.MULTILINE)
    page = re.search(r"^KernelPageSize:\s*(\d+) kB", raw.text(_MAPS), re.MULTILINE)
    return ForeignPython(
        path=f"bundle-{lock.digest_of(arch)}",
        version=lock.python,
        implementation="CPython",
        free_threaded=False,
        bits=64,
        machine=arch,
        glibc=lock.glibc,
        cores=_numbers(allowed[1]) if allowed else (),
        page_size=int(page[1]) * 1024 if page else 0,
        runs_programs="noexec" not in _options(raw.text(_MOUNTS), raw.text("nearest")),
        writable=raw.text("writable") == "yes",
    )


def _numbers(listed: str) -> tuple[int, ...]:
    """Return the numbers of ``0-3,6``."""
    found: list[int] = []
    for part in listed.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _options(mounts: str, folder: str) -> list[str]:
    """Return the options of the disk that a folder is on, from ``/proc/mounts``."""
    best, options = "", ""
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[1])
        inside = f"{folder.rstrip('/')}/".startswith(f"{place.rstrip('/')}/")
        if inside and len(place) >= len(best):  # of two at one place the later one is seen
            best, options = place, words[3]
    return options.split(",")
