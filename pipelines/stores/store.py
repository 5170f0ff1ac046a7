"""What a store is: keys and values, and what may be a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TEMPORARY = "tmp"
"""The first segment that no key may have: a directory store keeps unfinished files there."""

KEY_CHARACTERS_MAX = 500
"""Far more than keys have. A prefix in a bucket, where a name's length is limited, leaves room."""

_KEY = re.compile(r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")
_PREFIX = re.compile(r"[A-Za-z0-9._/=-]*")


class KeyMissing(LookupError):  # noqa: N818 it is the answer to a question, not always an error
    """There is nothing under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"the store holds nothing under {self.key!r}"


@dataclass(frozen=True)
class Stat:
    """What a store knows of a key without reading it.

    Attributes:
        size_bytes: Length of the value.
        version: Changes whenever the value is written again, even with the same bytes. Only to be
            given back to the same store.
    """

    size_bytes: int
    version: str


class Store(Protocol):
    """Keys and values. Each method may be called from any thread and any number of processes.

    A value is whole or not there at all, and durable when the call returns. A key is a relative
    POSIX path (see ``check_key``); no key may be the folder of another one, as a directory could
    not hold both.

    All methods raise ``UserError`` where the user can put it right: a full disk, a store that
    must not be written or read, a bucket that is missing or not to be reached.
    """

    @property
    def uri(self) -> str:
        """The place that ``open_store`` opens again: an absolute folder or ``gs://...``."""
        ...

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """Write a value where there is none.

        Args:
            key: Where.
            data: The value, or the file that holds it, which must not change meanwhile.

        Returns:
            True when this call wrote it, False when there was a value, which then stays.
        """
        ...

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """Do ``put_if_absent`` for each item, many at a time; answers in the order of the items."""
        ...

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """Compare and swap: write ``data`` if the value is still the one of ``version``.

        To change a value ask ``stat`` first and ``get`` second: what changes in between makes the
        swap fail.

        Returns:
            True when this call wrote it; False when the value has another version or is gone.
        """
        ...

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to, not including, ``end`` (None: to the end).

        What lies beyond the end of the value is left out, as in a slice.

        Raises:
            KeyMissing: There is no value.
        """
        ...

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:
        """Write a value to a file, whole or not at all; its folders are made.

        Args:
            key: Which value.
            path: Where to; a file there is replaced.
            link: The caller promises that nobody writes into the file at ``path``, which may then
                be the store's own (mode 0444, no bytes copied).

        Returns:
            The sha256 of what lies at ``path``, computed from those very bytes.

        Raises:
            KeyMissing: There is no value.
        """
        ...

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """Do ``fetch`` for each item, many at a time; answers in the order of the items."""
        ...

    def stat(self, key: str) -> Stat | None:
        """Return size and version, or None when there is no value."""
        ...

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """Do ``stat`` for each key, many at a time; answers in the order of the keys."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with these characters, in lexical order.

        ``runs/`` gives what is in a folder and ``runs/2`` the part of it that begins with 2.
        """
        ...

    def foreign(self) -> Iterator[str]:
        """Yield what lies there under names that can be no keys: somebody put it there by hand."""
        ...

    def delete_if_match(self, key: str, version: str) -> bool:
        """Remove the value if it is still the one of ``version``; True when this call did it."""
        ...


def is_key(key: str) -> bool:
    """Whether a store can have a value under these characters: see ``check_key``."""
    segments = key.split("/")
    return (
        _KEY.fullmatch(key) is not None
        and len(key) <= KEY_CHARACTERS_MAX
        and {".", ".."}.isdisjoint(segments)
        and segments[0] != TEMPORARY
    )


def check_key(key: str) -> str:
    """Return ``key`` if it is one.

    Raises:
        ValueError: It is not a relative POSIX path of ``A-Z a-z 0-9 . _ = -`` segments, has a
            ``.`` or ``..`` segment, or begins with the folder of unfinished files.
    """
    if not is_key(key):
        raise ValueError(f"{key!r} is no key of a store")
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` if keys can begin with it.

    Raises:
        ValueError: They cannot.
    """
    if not _PREFIX.fullmatch(prefix) or prefix.startswith("/"):
        raise ValueError(f"no key of a store begins with {prefix!r}")
    return prefix
