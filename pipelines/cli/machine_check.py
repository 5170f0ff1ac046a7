"""What this machine has and lacks for slimline, found out without importing any of it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

from components.contract.errors import UserError
from components.contract.images import GPU_IMAGE, PACKAGES
from components.statistics.quantities import short_bytes
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.disk.names import absolute
from pipelines.stores.blobs import LIMIT_FILE, BlobCache, cache_limit

State = Literal["ok", "lacks", "note"]

_HOST = ("psutil", "rich")
_OPTIONAL = {"docker": "the docker engine"}
_MEMORY_BYTES_MIN = 4_000_000_000
_DISK_BYTES_MIN = 5_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: ``lacks`` keeps slimline from working here; a ``note`` does not.
        text: What was found.
        fix: What to do about it; empty when there is nothing to do.
    """

    name: str
    state: State
    text: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return one entry of the document of ``slimline doctor --json``."""
        return asdict(self)


def examine(store: str) -> list[Finding]:
    """Look at this machine.

    Args:
        store: The place where results would be kept.
    """
    return [
        _python(),
        *_packages(),
        _cores(),
        _memory(),
        *_folders(store),
        _cache(),
        _pressure(),
        *_programs(),
    ]


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform != "linux":
        return Finding("python", "lacks", text, "use Linux: engines and benchmarks rely on /proc")
    return Finding("python", "ok", text)


def _packages() -> Iterator[Finding]:
    seen: set[str] = set()
    images = {name: names for name, names in PACKAGES.items() if name != GPU_IMAGE}
    for purpose, names in {"host": _HOST, **images}.items():  # CUDA's are for its image alone
        found: list[str] = []
        missing: list[str] = []
        for name in (name for name in names if name not in seen):
            seen.add(name)
            try:
                found.append(f"{name} {metadata.version(name)}")
            except metadata.PackageNotFoundError:
                missing.append(name)
        if missing:
            yield Finding(purpose, "lacks", f"no {', '.join(missing)}", "pip install slimline")
        else:
            yield Finding(purpose, "ok", ", ".join(found))


def _cores() -> Finding:
    free = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    text = f"{free} cores, load {load:.1f}"
    if load > free:
        return Finding("cores", "note", text, "benchmarks wait for quiet: end what else runs")
    return Finding("cores", "ok", text)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{short_bytes(memory.available)} free of {short_bytes(memory.total)}"
    if memory.available < _MEMORY_BYTES_MIN:
        return Finding("memory", "note", text, "training may not fit: end what else runs")
    return Finding("memory", "ok", text)


def _folders(store: str) -> Iterator[Finding]:
    if "://" in store:
        yield Finding("store", "note", f"{store} is not on this machine: a run tries it")
        folder = cache_folder()
    else:
        folder = absolute(store)
    with disk_faults(folder):
        while not folder.exists():
            folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        text = f"{folder} is no folder that can be written"
        yield Finding("store", "lacks", text, "name another place with --store")
    elif "://" not in store:
        yield Finding("store", "ok", f"{store} can be written")
    free = shutil.disk_usage(folder).free
    enough = free >= _DISK_BYTES_MIN
    yield Finding(
        "disk",
        "ok" if enough else "note",
        f"{short_bytes(free)} free at {folder}",
        "" if enough else "make room, or put the store elsewhere with --store",
    )


def _cache() -> Finding:
    folder = cache_folder()
    try:
        limit_bytes = cache_limit(folder)
    except UserError as error:
        return Finding("cache", "lacks", error.what, error.fix)
    with disk_faults(folder):
        used_gib = BlobCache(folder, limit_bytes).size_bytes / 2**30
    text = f"{used_gib:.3g} of at most {limit_bytes / 2**30:.3g} GiB of downloads in {folder}"
    return Finding("cache", "ok", f"{text}; another limit: echo GIB > {folder / LIMIT_FILE}")


def _pressure() -> Finding:
    if Path("/proc/pressure/cpu").exists():
        return Finding("pressure", "ok", "/proc/pressure/cpu tells benchmarks who disturbs them")
    text = "no /proc/pressure/cpu: benchmarks judge by context switches and spread alone"
    return Finding("pressure", "note", text)


def _programs() -> Iterator[Finding]:
    for program, purpose in _OPTIONAL.items():
        path = shutil.which(program)
        text = path or f"none; only {purpose} would need it"
        yield Finding(program, "ok" if path else "note", text)
