"""The registry of releases: which run published which one."""

from __future__ import annotations

from components.contract.digests import canonical_json
from pipelines.runs.records import now
from pipelines.stores.layout import release_key
from pipelines.stores.store import Store


def register_release(
    store: Store, name: str, run: str, release: str, published: str | None = None
) -> None:
    """Note that a run published a release; the first note of a run stays.

    Args:
        store: Where.
        name: The configuration's name.
        run: The run's identifier.
        release: Tree digest of the release.
        published: ISO 8601, UTC; None is now.
    """
    store.put_if_absent(
        release_key(name, run),
        canonical_json({"run": run, "release": release, "at": published or now()}),
    )
