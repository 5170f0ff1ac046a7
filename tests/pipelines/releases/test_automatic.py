"""``promotion: auto``: the end of a run promotes where the gate says yes, and never what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.releases import gate
from pipelines.releases.automatic import promote_automatically
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.promoting import roll_back
from pipelines.releases.published import read_published
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import release_log_key
from tests.data.releases import NAME, put_release, rewrite
from tests.data.trees import put_tree

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(DirectoryStore(tmp_path / "store"), tmp_path / "work")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path, promotion="auto")


def configured(folder: Path, **releases: Any) -> Config:
    plain = {**yaml.safe_load(TINY.read_text()), "name": NAME, "releases": releases}
    (folder / "config.yaml").write_text(yaml.safe_dump(plain))
    return load(folder / "config.yaml")


def test_the_first_that_qualifies(cache: Cache, config: Config) -> None:
    release = put_release(cache.store, "faces-a")
    told = promote_automatically(cache, config, "faces-a")
    assert told
    assert told.startswith(f"promoted: faces@faces-a ({release[:8]}) is the champion, entry 1")
    (entry,) = read_log(cache.store, NAME).entries
    assert (entry.release, entry.forced) == (release, False)


def test_nobody_asked(cache: Cache, tmp_path: Path) -> None:
    put_release(cache.store, "faces-a")
    for config in (load(TINY), configured(tmp_path, promotion="ask")):
        assert promote_automatically(cache, config, "faces-a") is None
    assert read_log(cache.store, NAME).entries == ()


def test_no_winner(cache: Cache, config: Config) -> None:
    from pipelines.runs.releases.registry import register_release

    register_release(
        cache.store, NAME, "faces-a", put_tree(cache.store, {"none.json": b"{}"}).digest
    )
    assert promote_automatically(cache, config, "faces-a") is None
    assert promote_automatically(cache, config, "faces-of-no-release") is None


def test_the_gate_says_no(cache: Cache, config: Config) -> None:
    put_release(cache.store, "faces-a", qualified=False, reasons=["poor"])
    told = promote_automatically(cache, config, "faces-a")
    assert told == "not promoted, the gate says no: it does not qualify: poor"
    put_release(cache.store, "faces-b")
    promote_automatically(cache, config, "faces-b")
    put_release(cache.store, "faces-c")
    told = promote_automatically(cache, config, "faces-c")
    assert told
    assert told.startswith("not promoted, the gate says cannot decide: ")


def test_what_was_rolled_back_stays_so(cache: Cache, config: Config) -> None:
    """Even as the result of another run, and even where nothing else stands against it."""
    assert config.releases
    first = put_release(cache.store, "faces-a")
    promote_automatically(cache, config, "faces-a")
    from pipelines.releases.promoting import promote

    second = read_published(cache, NAME, "faces-b", put_release(cache.store, "faces-b"))
    assert second
    yes = GateFinding("yes", ("it is better",))
    promote(cache, second, config.releases, actor="ann", judge=lambda *_: yes)
    roll_back(cache, NAME, config.releases, actor="ann", reason="crashes on old phones")
    put_release(cache.store, "faces-c", model=b"model of faces-b")
    told = promote_automatically(cache, config, "faces-c")
    assert told
    assert "was rolled back once, and a person has to promote it" in told
    champion = read_log(cache.store, NAME).champion
    assert champion
    assert champion.release == first


def test_a_log_that_was_edited(cache: Cache, config: Config) -> None:
    put_release(cache.store, "faces-a")
    promote_automatically(cache, config, "faces-a")
    rewrite(cache.store, release_log_key(NAME, 1), b"{}")
    put_release(cache.store, "faces-b")
    with pytest.raises(UserError, match="entry 1 is no entry of a log"):
        promote_automatically(cache, config, "faces-b")


def test_the_tests_notice_a_gate_that_is_gone(
    cache: Cache, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "judge", lambda *_, **__: GateFinding("yes", ("nobody looked",)))
    with pytest.raises(AssertionError):
        test_the_gate_says_no(cache, config)
