"""Listings of sources: each is a list of pages, and pages are shared by sources that grew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from pipelines.lineage.index.contents import begin, note_loss, rest_on, tell_others
from pipelines.lineage.index.facts import digest_bytes, text
from pipelines.lineage.index.inserting import Inserter
from pipelines.lineage.index.values import LostValue
from pipelines.stores.layout import blob_key, source_key
from pipelines.stores.store import KeyMissing, Store

_PAGE = "page"
_NO_LISTING = (ValueError, LookupError, TypeError, RecursionError, OverflowError)


def wanted_sources(database: sqlite3.Connection) -> list[tuple[int, str]]:
    """Return identifier and digest of the sources whose listing has not been looked for."""
    rows = database.execute("SELECT id, digest FROM source WHERE state IS NULL ORDER BY id")
    return [(source, sha.hex()) for source, sha in rows]


def read_source(store: Store, digest: str) -> bytes | None:
    """Read the listing of a source; None where there is none."""
    try:
        return store.get(source_key(digest))
    except KeyMissing:
        return None


def insert_source(inserter: Inserter, source: int, digest: str, data: bytes | None) -> None:
    """Write what was read of a listing."""
    database, key = inserter.database, source_key(digest)
    (expected,) = database.execute("SELECT expected FROM source WHERE id = ?", (source,)).fetchone()
    inserter.drop_problem(key)
    form, pages, state = None, list[bytes](), "read"
    if data is None:
        state = "missing" if expected else "absent"
        if expected:
            inserter.put_problem(key, "is not there, and the record of a run names it")
    else:
        try:
            value: Any = json.loads(data)
            form = text(value["format"])
            pages = [digest_bytes(page) for page in value["pages"]]
        except _NO_LISTING:
            state = "damaged"
            inserter.put_problem(key, "is no listing of a source")
    database.execute("UPDATE source SET state = ?, format = ? WHERE id = ?", (state, form, source))
    database.executemany(
        "INSERT OR REPLACE INTO source_page VALUES (?, ?, ?)",
        [(source, n, _put_page(database, page)) for n, page in enumerate(pages)],
    )


def _put_page(database: sqlite3.Connection, sha: bytes) -> int:
    """Write a page; one that could not be read may be there, now that it was written again."""
    database.execute(
        "INSERT INTO page (sha) VALUES (?) ON CONFLICT (sha)"
        " DO UPDATE SET state = NULL WHERE state != 'read'",
        (sha,),
    )
    return database.execute("SELECT id FROM page WHERE sha = ?", (sha,)).fetchone()[0]


def wanted_pages(database: sqlite3.Connection) -> list[tuple[int, str]]:
    """Return identifier and sha256 of the pages that have not been looked for."""
    rows = database.execute("SELECT id, sha FROM page WHERE state IS NULL ORDER BY id")
    return [(page, sha.hex()) for page, sha in rows]


def insert_page(inserter: Inserter, page: int, sha: str, data: bytes | LostValue) -> None:
    """Write what was read of a page."""
    database = inserter.database
    begin(inserter, _PAGE, page)
    if isinstance(data, LostValue):
        state = note_loss(inserter, _PAGE, page, data)
    else:
        rest_on(database, _PAGE, page, [bytes.fromhex(sha)])
        try:
            rows = [_row(page, file) for file in json.loads(data)]
        except _NO_LISTING:
            loss = LostValue(blob_key(sha), "damaged", "is no page of the listing of a source")
            state = note_loss(inserter, _PAGE, page, loss)
        else:
            state = "read"
            database.executemany("INSERT OR REPLACE INTO page_file VALUES (?, ?, ?, ?)", rows)
            database.execute(
                "UPDATE page SET files = ?, bytes = ? WHERE id = ?",
                (len(rows), sum(row[3] for row in rows), page),
            )
            tell_others(database, [bytes.fromhex(sha)])
    database.execute("UPDATE page SET state = ? WHERE id = ?", (state, page))


def _row(page: int, file: Sequence[Any]) -> tuple[int, str, bytes | None, int]:
    name, size_bytes, sha = file[:3]
    return page, text(name), digest_bytes(sha) if sha else None, int(size_bytes)
