"""The section ``releases`` that counts for a release."""

from __future__ import annotations

import json
from pathlib import Path

from components.contract.digests import digest
from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.config.releases import ReleasesSection
from pipelines.releases.published import PublishedRelease
from pipelines.stores.layout import config_key
from pipelines.stores.store import KeyMissing, Store, is_key


def settings_of(
    store: Store, published: PublishedRelease, config: Path | None = None
) -> tuple[ReleasesSection, str | None]:
    """Return the section of a file, or of the configuration that the release's run had.

    Places (``url``, ``key``) are no part of what a store keeps of a configuration.

    Args:
        store: Where configurations are kept.
        published: Whose run is meant where no file is.
        config: A configuration; None where nobody names one.

    Returns:
        The section; and where nothing says it, that the defaults count.

    Raises:
        UserError: The file is not valid, or what the store keeps is damaged.
    """
    if config is not None:
        return load(config).releases or ReleasesSection(), None
    defaults = (
        f"no configuration is kept of the run {published.run}, so the defaults of releases: count "
        "(--config FILE names one)"
    )
    if published.record is None or not is_key(config_key(published.record.config_digest)):
        return ReleasesSection(), defaults
    key = config_key(published.record.config_digest)
    try:
        kept = json.loads(store.get(key))
        if digest("config", kept) == published.record.config_digest:
            return ReleasesSection.model_validate(kept.get("releases") or {}), None
    except KeyMissing:
        return ReleasesSection(), defaults
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise UserError(
        f"{key} in the store {store.uri}, the configuration of the run {published.run}, is damaged",
        "name the configuration: --config FILE",
    )
