"""``slimline gc``: what it says, what it does, and how its options are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from tests.pipelines.retention.small_runs import compression, long_ago


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with one old run that no release rests on."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIMLINE_ACTOR", "anna")
    cache = Cache(DirectoryStore(tmp_path / "store", durable=False), tmp_path / "scratch")
    compression(cache, "digits-1", long_ago(), published=False)
    return str(tmp_path / "store")


def test_it_condemns_waits_and_removes(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    for options in (["--dry-run"], [], [], ["--wait", "0s", "--dry-run"], ["--wait", "0s"], []):
        assert main(["gc", "--store", store, *options]) == 0
        said.append(capsys.readouterr().out)
    assert "objects would be condemned" in said[0]
    assert "objects condemned" in said[1]
    assert "wait until" in said[2]
    assert "objects would be removed" in said[3]
    assert "objects removed" in said[4]
    assert said[5].endswith("nothing to remove\n")


def test_the_document(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    documents: list[dict[str, object]] = []
    for options in ([], ["--wait", "0s"]):
        assert main(["gc", "--store", store, "--json", *options]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    first, second = documents
    assert first["condemned"] == second["removed"]
    assert first["condemned_bytes"] == second["removed_bytes"]
    assert second["collections"] == [first["collection"]]
    assert (second["condemned"], second["collection"]) == (0, None)


@pytest.mark.parametrize("option", ["--keep", "--wait"])
def test_a_length_of_time_that_is_none_and_the_fix(
    store: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gc", "--store", store, option, "long"]) == 2
    error = capsys.readouterr().err
    assert f"{option} 'long'" in error
    fix = error.partition(f"fix: write {option} ")[2].split()[0]
    assert main(["gc", "--store", store, option, fix]) == 0
