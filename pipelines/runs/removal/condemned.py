"""Condemned values: what a garbage collection will remove, and what its writers do about it.

A collection removes in two phases. First it writes down which keys nothing refers to, with the
version that each value has (``gc/<id>.json``). A day later it looks again and removes what still
has that version. A writer that finds a value in its place, and from now on relies on it, must
therefore write it once more: that gives it another version, and the removal passes it by. To find
it there is not enough, as that changes nothing in the store.

Every writer reads the list before it relies on the first value and again every ten minutes, and a
collection waits for longer than that, and for the runs that began before its list was there.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from pipelines.stores.layout import COLLECTIONS, collection_key
from pipelines.stores.store import KeyMissing, Store

REREAD_S = 600.0
"""A writer's list is at most this old, in seconds."""

_Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Collection:
    """One garbage collection: the content of ``gc/<id>.json``.

    Attributes:
        id: Its name.
        at: When its list was written: ISO 8601, UTC.
        actor: Who asked for it.
        keep_s: Runs younger than so many seconds kept all that they made.
        condemned: By key the version of the value that is to go; empty once it has finished.
        size_bytes: Length of these values together.
        alive: The runs that were going on when the list had been written, and whose end it waits
            for; None while that is not written down.
        finished: When it had removed them; None before.
        removed: How many values it has removed.
        removed_bytes: Length of these.
        spared: How many it left, as something refers to them by now or they were written anew.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    id: str
    at: str
    actor: str
    keep_s: Annotated[float, Field(ge=0)]
    condemned: Mapping[str, str] = field(default_factory=dict[str, str])
    size_bytes: _Count = 0
    alive: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    finished: str | None = None
    removed: _Count = 0
    removed_bytes: _Count = 0
    spared: _Count = 0
    schema: Literal[1] = 1

    def to_bytes(self) -> bytes:
        """Return the value under its key."""
        return canonical_json(asdict(self))


_COLLECTION = TypeAdapter(Collection)


def parse_collection(data: bytes) -> Collection:
    """Return the collection that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    return _COLLECTION.validate_json(data)


def collections(store: Store, damaged: list[str] | None = None) -> list[Collection]:
    """Return every collection of a store, oldest first.

    Args:
        store: Where.
        damaged: Takes the keys under which something else lies.
    """
    found: list[Collection] = []
    for key in store.list(COLLECTIONS):
        try:
            one = parse_collection(store.get(key))
        except KeyMissing:
            continue
        except ValidationError:
            one = None
        if one and collection_key(one.id) == key:
            found.append(one)
        elif damaged is not None:
            damaged.append(key)
    return sorted(found, key=lambda one: (one.at, one.id))


def since_boot_s() -> float:
    """Return seconds of a clock that goes on while this machine sleeps or a process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class CondemnedValues:
    """What collections are about to remove from a store, as its writers know it.

    May be used by any number of threads.

    Args:
        store: Where.
        scratch: A folder of this machine for what is on its way; made where it is needed.
        every_s: Age in seconds at which the list is read again.
        clock: Seconds, never stepping back.
    """

    def __init__(
        self,
        store: Store,
        scratch: Path,
        every_s: float = REREAD_S,
        clock: Callable[[], float] = since_boot_s,
    ) -> None:
        self._store, self._scratch = store, scratch
        self._every_s, self._clock = every_s, clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._versions: dict[str, set[str]] = {}
        self._unknown = False

    def renew(self, key: str, data: bytes | Path | None = None) -> bool:
        """Write a value again if it is to be removed, so that it stays.

        Args:
            key: Where it lies, or lay a moment ago.
            data: The value, or a file of it; None where the store alone has it.

        Returns:
            False where the value is gone and ``data`` is None.
        """
        versions = self._condemned(key)
        if versions is None:
            return True
        if data is not None:
            self._rewrite(key, data, versions)
            return True
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="renew-", dir=self._scratch) as folder:
            copy = Path(folder, "value")
            try:
                self._store.fetch(key, copy)
            except KeyMissing:
                return False
            self._rewrite(key, copy, versions)
        return True

    def _rewrite(self, key: str, data: bytes | Path, versions: set[str]) -> None:
        while True:
            stat = self._store.stat(key)
            if stat and versions and stat.version not in versions:
                return  # somebody has done so
            if (
                self._store.replace_if_match(key, data, stat.version)
                if stat
                else self._store.put_if_absent(key, data)
            ):
                return

    def _condemned(self, key: str) -> set[str] | None:
        """Return the condemned versions of a key (none of them: all); None where there are none."""
        with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= self._every_s:
                self._read()
                self._read_at = now
            if self._unknown:
                return set()
            return self._versions.get(key)

    def _read(self) -> None:
        damaged: list[str] = []
        versions: dict[str, set[str]] = {}
        for one in collections(self._store, damaged):
            if one.finished is None:
                for key, version in one.condemned.items():
                    versions.setdefault(key, set()).add(version)
        # Nobody knows what a damaged list condemned: all that is relied on is written again.
        self._versions, self._unknown = versions, bool(damaged)
