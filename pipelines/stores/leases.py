"""Leases: one holder at a time of anything that has a key, among engines of any machines.

A lease is a value of a store that its holder writes again and again, each time with a higher
counter. States of a key, and the only ways between them, each a single compare-and-swap:

    free --put_if_absent--> held       ``take``
    held --replace_if_match--> held    ``renew``, by the holder: counter + 1
    held --replace_if_match--> held    ``take`` by another once the lease has ended: epoch + 1
    held --delete_if_match--> free     ``release`` by the holder, ``sweep`` once it has ended

A lease has *ended* when its counter stood still for its whole length on the monotonic clock of
whoever looks, or when its holder is a process of this machine that lives no more. No two clocks
are ever compared. A holder that was stopped meanwhile finds another holder, or nothing, under its
key: ``held`` is false from then on, so it asks before it publishes anything.

What is promised is that at most one process holds a lease that all who look see renewed. Between
``held`` and what the holder does next it may be stopped again: the write that counts must therefore
be one that only the first can win, as ``Cache.commit`` is. A lease saves work; it makes nothing
true.

A value need not survive a power cut: who lost it is dead, or writes it again. Half a value, as a
cut leaves it, is a lease of nobody known, and ends when it stood still for a length.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.disk.identity import ProcessIdentity, has_ended, this_process
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import KeyMissing, Store

LENGTH_S = 60.0
"""A holder may be silent for so long: longer than a request to a busy bucket is tried again."""

_BEATS = 4
"""How often a lease is renewed within its length."""

_LONGEST_S = 3600.0


@dataclass(frozen=True)
class Holder:
    """What the value of a lease says.

    Attributes:
        token: Random, another one for each ``take``.
        epoch: How many holders this value has had; one more with each that took it over.
        counter: How often it was renewed.
        length_s: How long it may stand still.
        process: Who holds it.
        about: What for, in words for people.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    token: str
    epoch: int
    counter: int
    length_s: Annotated[float, Field(gt=0, le=_LONGEST_S)]
    process: ProcessIdentity
    about: Mapping[str, str]


_HOLDER = TypeAdapter(Holder)


@dataclass(frozen=True)
class _Sighting:
    """A value that somebody else holds, since when it has been seen unchanged."""

    version: str
    raw: bytes
    holder: Holder | None
    since: float


@dataclass(frozen=True)
class Standing:
    """How it stands with a key.

    Attributes:
        free: It can be taken: nobody holds it, or the lease of who held it has ended.
        holder: Who holds or held it; None if nobody does, or the value is damaged.
    """

    free: bool
    holder: Holder | None


class Leases:
    """The leases of one process on one store, renewed by a thread of its own until ``close``.

    Args:
        store: Where they are kept.
        length_s: How long one may stand still before others take it over; at most 3,600.
    """

    def __init__(self, store: Store, length_s: float = LENGTH_S) -> None:
        self._store = _unsynced(store)
        self._length_s = length_s
        self._held: set[Lease] = set()
        self._seen: dict[str, _Sighting] = {}
        self._litter: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._beating: threading.Thread | None = None

    def take(self, key: str, about: Mapping[str, str]) -> Lease | None:
        """Take a lease that nobody holds, or whose holder is silent; None if somebody holds it.

        Args:
            key: Key of the store, which holds nothing else.
            about: What for, in words for people: ``holder`` of a ``Standing`` tells it others.
        """
        holder = self._take(key, about)
        if holder is None:
            return None
        lease = Lease(self._store, key, holder, lambda: self._take(key, about), self._forget)
        with self._lock:
            self._held.add(lease)
            if self._beating is None:
                self._beating = threading.Thread(target=self._beat, daemon=True)
                self._beating.start()
        return lease

    def look(self, keys: Sequence[str]) -> tuple[Standing, ...]:
        """Say how it stands with each key; to be asked again and again, as time is what tells."""
        before = time.monotonic()
        stats = self._store.stat_many(keys)
        return tuple(
            self._judge(key, stat.version if stat else None, before)
            for key, stat in zip(keys, stats, strict=True)
        )

    def sweep(self, prefix: str) -> None:
        """Remove what dead holders left below a prefix: now, or while leases are renewed."""
        self._litter = tuple(self._store.list(prefix))
        self._clear()

    def close(self) -> None:
        """Stop renewing. What is still held ends by itself."""
        self._closing.set()
        if self._beating:
            self._beating.join()
        self._clear()

    def _take(self, key: str, about: Mapping[str, str]) -> Holder | None:
        token = secrets.token_hex(16)
        mine = Holder(token, 1, 0, self._length_s, this_process(), dict(about))
        while True:
            if self._store.put_if_absent(key, _bytes(mine)):
                return mine
            (standing,) = self.look([key])
            if not standing.free:
                return None
            with self._lock:
                seen = self._seen.get(key)
            if seen is None:
                continue  # it is gone meanwhile
            after = replace(mine, epoch=seen.holder.epoch + 1 if seen.holder else 1)
            if self._store.replace_if_match(key, _bytes(after), seen.version):
                return after

    def _judge(self, key: str, version: str | None, before: float) -> Standing:
        """Say how it stands with a key that had this version some time after ``before``."""
        with self._lock:
            seen = self._seen.get(key)
        if version is None:
            return self._see(key, None)
        if seen is None or seen.version != version:
            seen = self._read(key, version)
        if seen and not (seen.holder and has_ended(seen.holder.process)):
            if before - seen.since < (seen.holder.length_s if seen.holder else self._length_s):
                return self._see(key, seen)
            # A network file system may tell an old version for a while; what it reads is new.
            now = self._read(key, version)
            if now is None or now.raw != seen.raw:
                seen = now
                return replace(self._see(key, seen), free=seen is None)
        return replace(self._see(key, seen), free=True)

    def _see(self, key: str, seen: _Sighting | None) -> Standing:
        with self._lock:
            if seen is None:
                self._seen.pop(key, None)
            else:
                self._seen[key] = seen
        return Standing(seen is None, seen.holder if seen else None)

    def _read(self, key: str, version: str) -> _Sighting | None:
        try:
            raw = self._store.get(key)
        except KeyMissing:
            return None
        return _Sighting(version, raw, _holder(raw), time.monotonic())

    def _beat(self) -> None:
        while not self._closing.wait(self._length_s / _BEATS):
            with self._lock:
                held = tuple(self._held)
            # A store that fails now may answer the next time; if it does not, the holder hears of
            # it where it asks for the lease, or for anything else.
            for lease in held:
                with contextlib.suppress(UserError, OSError):
                    lease.renew()
            with contextlib.suppress(UserError, OSError):
                self._clear()

    def _clear(self) -> None:
        left: list[str] = []
        for key, standing in zip(self._litter, self.look(self._litter), strict=True):
            with self._lock:
                seen = self._seen.get(key)
            if standing.free and seen:
                self._store.delete_if_match(key, seen.version)
            elif seen:
                left.append(key)
        self._litter = tuple(left)

    def _forget(self, lease: Lease) -> None:
        with self._lock:
            self._held.discard(lease)


class Lease:
    """A lease that this process took. To be released, whatever happens.

    Args:
        store: Where it is kept.
        key: Under which key.
        holder: What its value says.
        take: Takes it anew.
        forget: Told when it is given back.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        holder: Holder,
        take: Callable[[], Holder | None],
        forget: Callable[[Lease], None],
    ) -> None:
        self._store, self._key, self._holder = store, key, holder
        self._take, self._forget = take, forget
        self._lock = threading.Lock()
        self._over = False

    @property
    def epoch(self) -> int:
        """How many holders the value has had, this one included."""
        return self._holder.epoch

    def held(self) -> bool:
        """Ask the store whether it is still this holder's."""
        with self._lock:
            return self._mine() is not None

    def regain(self) -> bool:
        """Take it again where it was lost and nobody holds it; whether it is this holder's now."""
        with self._lock:
            if self._mine() is not None:
                return True
            if again := self._take():
                self._holder = again
            return again is not None

    def renew(self) -> bool:
        """Say that its holder lives; whether it is still this holder's."""
        with self._lock:
            while not self._over and (found := self._mine()):
                version, holder = found
                after = replace(holder, counter=holder.counter + 1)
                if self._store.replace_if_match(self._key, _bytes(after), version):
                    return True
            return False

    def release(self) -> None:
        """Give it back; what another one took meanwhile stays."""
        self._forget(self)
        with self._lock:
            self._over = True
            if found := self._mine():
                self._store.delete_if_match(self._key, found[0])

    def _mine(self) -> tuple[str, Holder] | None:
        """Return version and value while they are this holder's."""
        stat = self._store.stat(self._key)
        if stat is None:
            return None
        try:
            found = _holder(self._store.get(self._key))
        except KeyMissing:
            return None
        mine = self._holder
        if found is None or (found.token, found.epoch) != (mine.token, mine.epoch):
            return None
        return stat.version, found


def _bytes(holder: Holder) -> bytes:
    return canonical_json({"schema": 1, **asdict(holder)})


def _holder(raw: bytes) -> Holder | None:
    try:
        return _HOLDER.validate_json(raw)
    except ValidationError:
        return None


def _unsynced(store: Store) -> Store:
    """Return the same store without waiting for the disk: three syncs would cost 10 ms a lease."""
    if isinstance(store, DirectoryStore):
        return DirectoryStore(Path(store.uri), durable=False)
    return store
