"""The files of a bundle as a store that is only read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from components.contract.errors import UserError
from pipelines.stores.layout import blob_key
from pipelines.stores.store import KeyMissing, Stat

STORE, RELEASE, REPORT = "store/", "release/", "report.html"
"""Where the values of the store lie in a bundle, the files of the release, and its report."""


class BundleStore:
    """The ``Store`` of a bundle: values by key, and blobs that lie there as files of the release.

    Args:
        uri: What the bundle is called.
        files: Its files by name.
    """

    def __init__(self, uri: str, files: Mapping[str, bytes]) -> None:
        self._uri = uri
        self._places: dict[str, str] = {}
        self._files = files
        for name, data in files.items():
            if name.startswith(STORE):
                self._places[name.removeprefix(STORE)] = name
            elif name.startswith(RELEASE) or name == REPORT:
                self._places[blob_key(hashlib.sha256(data).hexdigest())] = name

    @property
    def uri(self) -> str:
        """See ``Store``."""
        return self._uri

    def place(self, key: str) -> str | None:
        """Return the name of the file that a value is, or None where there is no such value."""
        return self._places.get(key)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        if key not in self._places:
            raise KeyMissing(key)
        return self._files[self._places[key]][start:end]

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        place = self._places.get(key)
        return Stat(len(self._files[place]), "1") if place else None

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return tuple(self.stat(key) for key in keys)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        yield from sorted(key for key in self._places if key.startswith(prefix))

    def foreign(self) -> Iterator[str]:
        """See ``Store``."""
        yield from ()

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:  # noqa: ARG002 as in Store
        """See ``Store``."""
        data = self.get(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """See ``Store``."""
        return tuple(self.fetch(key, path, link=link) for key, path in items)

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """Refuse: see ``Store``."""
        raise self._refused(key, data)

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """Refuse: see ``Store``."""
        raise self._refused(*items)

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """Refuse: see ``Store``."""
        raise self._refused(key, data, version)

    def delete_if_match(self, key: str, version: str) -> bool:
        """Refuse: see ``Store``."""
        raise self._refused(key, version)

    def _refused(self, *_given: object) -> UserError:
        return UserError(
            f"{self._uri} is a bundle, which is only read", "name a store with --store PLACE"
        )
