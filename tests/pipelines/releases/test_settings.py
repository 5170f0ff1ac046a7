"""The section ``releases`` that counts: of a file, of what the run's store keeps, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.digests import canonical_json, digest
from components.contract.errors import UserError
from pipelines.config.releases import ReleasesSection
from pipelines.releases.published import PublishedRelease
from pipelines.releases.settings import settings_of
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import config_key
from tests.data.challengers import Run, write_run
from tests.data.releases import rewrite

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


def test_which_section_counts(tmp_path: Path) -> None:
    cache = Cache(DirectoryStore(tmp_path / "store"), tmp_path / "work")
    published = write_run(cache, Run("faces-a"))
    section, remark = settings_of(cache.store, published)
    assert section == ReleasesSection()
    assert "so the defaults of releases: count (--config FILE names one)" in (remark or "")
    assert settings_of(cache.store, published, TINY) == (ReleasesSection(), None)

    content = {"name": "faces", "releases": {"two_people": True, "gate": {"drop": 0.5}}}
    kept = of_config(published, digest("config", content))
    key = config_key(digest("config", content))
    cache.store.put_if_absent(key, canonical_json(content))
    section, remark = settings_of(cache.store, kept)
    assert (section.two_people, section.gate.drop, remark) == (True, 0.5, None)

    # Nobody gets rid of the rule by an edit.
    for data in (canonical_json({**content, "releases": {}}), b"{", b"[]", b"null"):
        rewrite(cache.store, key, data)
        with pytest.raises(UserError, match=f"{key} in the store .* is damaged") as caught:
            settings_of(cache.store, kept)
        assert "--config FILE" in caught.value.fix
    assert settings_of(cache.store, kept, TINY)[0] == ReleasesSection()  # the fix


def of_config(published: PublishedRelease, config: str) -> PublishedRelease:
    assert published.record
    return replace(published, record=replace(published.record, config_digest=config))
