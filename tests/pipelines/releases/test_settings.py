"""The section ``releases`` that counts: of a file, of what the run's store keeps, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.digests import canonical_json, digest
from components.contract.errors import UserError
from pipelines.config.releases import GateSection, ReleasesSection
from pipelines.releases.published import PublishedRelease
from pipelines.releases.settings import settings_of, stricter
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import config_key
from tests.data.challengers import Run, write_run
from tests.data.releases import rewrite

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


def test_which_section_counts(tmp_path: Path) -> None:
    cache = Cache(DirectoryStore(tmp_path / "store"), tmp_path / "work")
    published = write_run(cache, Run("faces-a"))
    assert settings_of(cache.store, published) == (ReleasesSection(), None)
    section, remark = settings_of(cache.store, of_config(published, "c"))  # of an earlier version
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


def test_what_holds_for_the_champion_cannot_be_written_away(tmp_path: Path) -> None:
    cache = Cache(DirectoryStore(tmp_path / "store"), tmp_path / "work")
    strict = {"two_people": True, "gate": {"drop": 0.001, "least_images": 300}}
    champion = write_run(cache, Run("faces-a", releases=strict))
    loose = ReleasesSection(gate=GateSection(drop=0.5, least_images=1), url="http://x")
    found = stricter(loose, cache.store, champion)
    assert (found.two_people, found.gate.drop, found.gate.least_images) == (True, 0.001, 300)
    assert found.url == "http://x"
    stricter_still = ReleasesSection(gate=GateSection(drop=0.0, least_images=500))
    found = stricter(stricter_still, cache.store, champion)
    assert (found.gate.drop, found.gate.least_images) == (0.0, 500)
    assert stricter(loose, cache.store, of_config(champion, "c")) == loose
