"""Reading records: one that is missing, and one that is damaged."""

from __future__ import annotations

from components.contract.errors import UserError
from pipelines.stores.store import KeyMissing, Store, is_key


def read_value(store: Store, key: str) -> bytes:
    """Return a value under a key that is made of what a person gave: it need not be one.

    Raises:
        KeyMissing: There is no value.
    """
    if not is_key(key):
        raise KeyMissing(key)
    return store.get(key)


def damaged_record(store: Store, key: str) -> UserError:
    """Return the error for what lies under a key and is no record."""
    return UserError(
        f"the record {key} in the store {store.uri} is damaged: it is not what slimline wrote",
        "move it out of the store: the results of its steps are kept without it",
    )
