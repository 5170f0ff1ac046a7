"""Tell what one Python is, as JSON; runs on a device, with versions that are refused, too.

python -c "$(cat about_python.py)" FOLDER
"""

# ruff: noqa: PTH112, PTH120, UP (plain and old: Python 3.5 has to read it)

import json
import os
import platform
import struct
import sys
import sysconfig


def libc() -> str:
    """Return the version of glibc, or nothing where it is another C library."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2]
    except (OSError, ValueError):
        return ""


def nearest(folder: str) -> str:
    """Return the folder, or the one above it that is there."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


place = nearest(sys.argv[1])
disk = os.statvfs(place)
sys.stdout.write(
    json.dumps(
        {
            "version": list(sys.version_info[:3]),
            "implementation": platform.python_implementation(),
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "bits": struct.calcsize("P") * 8,
            "machine": platform.machine(),
            "glibc": libc(),
            "cores": sorted(os.sched_getaffinity(0)),
            "page_size": os.sysconf("SC_PAGE_SIZE"),
            "runs_programs": not disk.f_flag & os.ST_NOEXEC,
            "writable": os.access(place, os.W_OK),
        }
    )
)
