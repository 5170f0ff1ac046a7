"""Listings of sources that the store keeps by digest: what the user's data was, file by file.

A listing is pages, each a blob, and the short ``sources/<digest>.json`` that names them. A file is
in the page that the sha256 of its name says, so that data which grows shares all pages but those of
its new files. From the pages the digest of the source can be computed again by anyone. Python
modules, which are imported in an order of their own, are one page in that order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import ConfigDict, Field, TypeAdapter

from components.contract.digests import canonical_json
from components.contract.source import Format, SourceFile, source_digest
from pipelines.disk.scratch import scratch_root
from pipelines.runs.quarantine import move_to_quarantine, put_certain
from pipelines.runs.records import damaged_record, read_value
from pipelines.runs.removal.condemned import CondemnedValues
from pipelines.runs.removal.tombstones import rest_of
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import blob_key, source_key
from pipelines.stores.store import KeyMissing, Store

FILES_A_PAGE = 64
"""About how many files a page has: few enough that a new file changes little, and many enough that
a million files are 16,384 pages."""

_THREADS = 8
_ORDERED: Format = "modules"
"""The format whose files have an order that is not that of their names."""


class Listed(Protocol):
    """What has been listed: a snapshot, or a source as a component reads it."""

    @property
    def format(self) -> Format:
        """How the files are to be read."""
        ...

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files."""
        ...

    @property
    def index(self) -> str:
        """Name of the list of images among them, or empty."""
        ...

    @property
    def excluded(self) -> tuple[str, ...]:
        """What must not be used of them."""
        ...


@dataclass(frozen=True)
class SourcePages:
    """The content of ``sources/<digest>.json``.

    Attributes:
        format: How the files are to be read.
        index: Name of the list of images among them, or empty.
        excluded: See ``components.contract.source.Source``.
        pages: sha256 of every page.
        schema: Of this document.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)

    format: Format
    index: str
    excluded: tuple[str, ...]
    pages: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(min_length=1)
    ]
    schema: Literal[1] = 1


_PAGES = TypeAdapter(SourcePages)


@dataclass(frozen=True)
class KeptSource:
    """What a store knows of a source.

    Attributes:
        format: How the files are to be read.
        files: All files in name order, but for those of the pages that are gone.
        index: Name of the list of images among them, or empty.
        excluded: See ``components.contract.source.Source``.
        gone: sha256 of the pages that the store lacks: somebody has had them erased, or damage.
    """

    format: Format
    files: tuple[SourceFile, ...]
    index: str
    excluded: tuple[str, ...]
    gone: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of what is here: that of the source where nothing is gone."""
        return source_digest(self.format, self.files, self.index, self.excluded)


def page_count(files: int) -> int:
    """Return into how many pages so many files are divided: a power of two."""
    count = 1
    while count * FILES_A_PAGE < files:
        count *= 2
    return count


def page_of(name: str, pages: int) -> int:
    """Return in which of so many pages a file of this name is listed."""
    return int(sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) % pages


def pages_of(form: Format, files: Sequence[SourceFile]) -> list[bytes]:
    """Return the pages of a listing."""
    if form == _ORDERED:
        return [_page(files)]
    pages: list[list[SourceFile]] = [[] for _ in range(page_count(len(files)))]
    for file in files:
        pages[page_of(file.name, len(pages))].append(file)
    return [_page(sorted(page, key=_name)) for page in pages]


def _page(files: Iterable[SourceFile]) -> bytes:
    return canonical_json(
        [[file.name, file.size_bytes, file.sha256, file.link, file.fault] for file in files]
    )


def _name(file: SourceFile) -> str:
    return file.name


def read_page(data: bytes) -> list[SourceFile]:
    """Return the files of a page.

    Raises:
        ValueError: It is something else.
    """
    match json.loads(data):
        case [*rows]:
            return [_file(row) for row in rows]
        case _:
            raise ValueError("it is no list of files")


def _file(row: object) -> SourceFile:
    match row:
        case [str(name), int(size), str(sha), str(link), str(fault)]:
            return SourceFile(name, size, sha, link, fault)
        case _:
            raise ValueError(f"{row!r} is no file of a listing")


def put_source(store: Store, source: Listed) -> str:
    """Keep the listing of a source: pages first, then what names them; return its digest."""
    wanted = source_digest(source.format, source.files, source.index, source.excluded)
    key = source_key(wanted)
    pages = pages_of(source.format, source.files)
    names = [sha256(page).hexdigest() for page in pages]
    content = SourcePages(source.format, source.index, source.excluded, tuple(names))
    _put_pages(store, dict(zip(names, pages, strict=True)))
    put_certain(store, key, canonical_json(_PAGES.dump_python(content, mode="json")))
    return wanted


def _put_pages(store: Store, pages: dict[str, bytes]) -> None:
    """Write the pages that are not there: those of earlier listings are asked for, not written."""
    condemned = CondemnedValues(store, scratch_root())
    stats = store.stat_many([blob_key(name) for name in pages])
    items: list[tuple[str, bytes]] = []
    for (name, page), stat in zip(pages.items(), stats, strict=True):
        if stat is not None and stat.size_bytes == len(page):
            condemned.renew(blob_key(name), page)
            continue
        if stat is not None:  # a broken disk cut it short
            move_to_quarantine(store, blob_key(name))
        items.append((blob_key(name), page))
    store.put_many(items)


def parse_pages(data: bytes) -> SourcePages:
    """Return what names the pages of a listing.

    Raises:
        ValueError: These bytes are something else.
    """
    return _PAGES.validate_json(data)


def read_source(store: Store, wanted: str) -> KeptSource | None:
    """Return the listing of a source; runs of earlier versions have kept none.

    Args:
        store: Where.
        wanted: Digest of the source.

    Raises:
        UserError: What lies there is no such listing.
    """
    key = source_key(wanted)
    try:
        content = parse_pages(read_value(store, key))
        files, gone = _read_pages(store, content.pages)
    except KeyMissing:
        return None
    except (ValueError, RecursionError) as error:
        raise damaged_record(store, key) from error
    if content.format != _ORDERED:
        files.sort(key=_name)
    found = KeptSource(content.format, tuple(files), content.index, content.excluded, tuple(gone))
    if not gone and found.digest != wanted:
        raise damaged_record(store, key)
    return found


def _read_pages(store: Store, pages: Iterable[str]) -> tuple[list[SourceFile], list[str]]:
    """Return the files of all pages, and the pages that are gone, or of which only a rest is.

    Raises:
        ValueError: A page holds something else than its name says.
    """

    def read(page: str) -> tuple[list[SourceFile], bool]:
        try:
            data = store.get(blob_key(page))
        except KeyMissing:  # an erasure leaves the others that it lists
            rest = rest_of(store, page)
            return read_page(rest) if rest else [], False
        if sha256(data).hexdigest() != page:
            raise ValueError(f"the page {page} holds something else")
        return read_page(data), True

    wanted = list(pages)
    found = call_each(read, ((page,) for page in wanted), _THREADS)
    gone = [page for page, (_, whole) in zip(wanted, found, strict=True) if not whole]
    return [file for files, _ in found for file in files], gone
