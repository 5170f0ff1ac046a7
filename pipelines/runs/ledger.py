"""The ledger of sealed images: which runs have looked at them."""

from __future__ import annotations

from components.contract.digests import canonical_json
from pipelines.runs.records import now
from pipelines.stores.layout import opened_key, opened_prefix
from pipelines.stores.store import Store


def open_sealed(store: Store, sealed: str, run: str, step: str, opened: str | None = None) -> None:
    """Write into the ledger that a step looks at sealed images.

    Args:
        store: Where.
        sealed: Tree digest of the images.
        run: The run's identifier.
        step: The step's name.
        opened: ISO 8601, UTC; None is now, as the step is about to begin.
    """
    entry = {"run": run, "step": step, "at": opened or now()}
    store.put_if_absent(opened_key(sealed, run, step), canonical_json(entry))


def times_opened(store: Store, sealed: str) -> int:
    """Return how many runs have looked at the sealed images with this tree digest."""
    names = (key.rsplit("/", 1)[1] for key in store.list(opened_prefix(sealed)))
    return len({name.split(".")[0] for name in names})
