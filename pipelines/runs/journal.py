"""The journal: what is about to change in a store, so that an index need not list all of it.

An entry is an empty value whose key says all. It is put before what it announces: who reads it and
finds nothing yet asks again later. Entries are by the clock of whoever wrote them, so a reader
looks back further than its last look.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.stores.layout import Announced, journal_key
from pipelines.stores.store import Store


def announce(store: Store, kind: Announced, identifier: str) -> None:
    """Say in the journal what is about to be written.

    Args:
        store: Where.
        kind: What it is.
        identifier: Of a run or of a note the run, of a log ``<name>.<seq>``, else its own.
    """
    # Two of one name within a millisecond announce the same.
    store.put_if_absent(journal_key(datetime.now(UTC), kind, identifier), b"")
