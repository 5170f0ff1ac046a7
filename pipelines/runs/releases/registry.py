"""The registry of releases: which run published which one."""

from __future__ import annotations

import json
from collections.abc import Iterator

from components.contract.digests import canonical_json
from pipelines.runs.journal import announce
from pipelines.runs.records import now
from pipelines.stores.layout import RELEASES, kind_of, release_key, releases_prefix
from pipelines.stores.store import KeyMissing, Store


def register_release(
    store: Store, name: str, run: str, release: str, published: str | None = None
) -> None:
    """Note that a run published a release; the first note of a run stays.

    The journal says so before.

    Args:
        store: Where.
        name: The configuration's name.
        run: The run's identifier.
        release: Tree digest of the release.
        published: ISO 8601, UTC; None is now.
    """
    announce(store, "note", run)
    store.put_if_absent(
        release_key(name, run),
        canonical_json({"run": run, "release": release, "at": published or now()}),
    )


def release_names(store: Store) -> list[str]:
    """Return all names under which runs have published."""
    return sorted({key.split("/")[1] for key in store.list(RELEASES) if key.count("/") > 1})


def registered(store: Store, name: str) -> Iterator[tuple[str, str]]:
    """Yield run and tree digest of every release of this name, newest first.

    Notes that are damaged are passed over: ``slimline verify`` names them.
    """
    for key in reversed(list(store.list(releases_prefix(name)))):
        if kind_of(key) != "release":  # the log of promotions and the champion lie there, too
            continue
        try:
            note = json.loads(store.get(key))
            run, release = note["run"], note["release"]
        except (KeyMissing, ValueError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(run, str) and isinstance(release, str):
            yield run, release
