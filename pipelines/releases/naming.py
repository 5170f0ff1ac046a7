"""Which release a person means."""

from __future__ import annotations

from components.contract.errors import UserError
from pipelines.lineage.naming import ReleaseNamed, RunNamed, resolve
from pipelines.releases.published import PublishedRelease, read_published
from pipelines.runs.cache import Cache
from pipelines.runs.records import read_run
from pipelines.runs.releases.registry import registered
from pipelines.runs.releases.release_log import is_release_name


def named_release(cache: Cache, text: str) -> PublishedRelease:
    """Return the release that a text names.

    Args:
        cache: The store.
        text: A run, ``NAME@latest``, ``NAME@champion``, ``NAME@RUN``, or digits of its digest.

    Raises:
        UserError: It names none, more than one, or a damaged one.
    """
    found = resolve(cache.store, None, text)
    if isinstance(found, RunNamed):
        name = read_run(cache.store, found.run).name
        notes = dict(registered(cache.store, name)) if is_release_name(name) else {}
        if found.run not in notes:
            raise UserError(
                f"the run {found.run} has published no release",
                f"slimline releases {name} lists those that have",
            )
        found = ReleaseNamed(name, found.run, notes[found.run])
    if not isinstance(found, ReleaseNamed):
        raise UserError(
            f"{text} is no release of the store {cache.store.uri}",
            "name a run, NAME@latest, or 8 digits of the digest: slimline releases lists them",
        )
    published = read_published(cache, found.name, found.run, found.release)
    if published is None:
        raise UserError(
            f"the run {found.run} has no winner, so there is no release of it",
            f"slimline releases {found.name} lists the others",
        )
    return published
