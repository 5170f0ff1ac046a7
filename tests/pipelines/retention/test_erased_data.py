"""A person erased from real data: what ingest makes of it then, and what is left of it before."""

from __future__ import annotations

import hashlib
import json
import secrets
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.manifest import EXCLUDED, read_manifest
from components.contract.tree import files_of
from pipelines.retention.erasing import erase
from pipelines.retention.holding import DataSubject
from pipelines.runs.cache import Cache
from pipelines.runs.kept.kept_sources import put_source, read_source
from pipelines.runs.listing import listed_sources
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.runs.verifying import verify_store
from pipelines.sources.snapshot import stage
from pipelines.stores.directory import DirectoryStore
from tests.components.flat import ingest
from tests.data import images
from tests.pipelines.engines.claiming import quick_graph
from tests.pipelines.retention.small_runs import History, long_ago
from tests.pipelines.retention.test_erasing import bytes_of

PEOPLE = ("Anna Roe", "ben", "cleo", "dora", "emil", "fay", "gus", "hans", "ida", "jo")
ANNA = PEOPLE[0]


@pytest.fixture
def cache(fast_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    return Cache(DirectoryStore(fast_disk / "store"), fast_disk / "scratch")


def folder_of_faces(place: Path) -> Path:
    for number, person in enumerate(PEOPLE):
        folder = place / person
        folder.mkdir(parents=True)
        for count in range(6):
            (folder / f"{count}.png").write_bytes(images.png(100 * number + count))
    return place


def npz_of_faces(place: Path) -> Path:
    place.mkdir()
    pixels = np.stack([images.pixels(seed) for seed in range(60)])
    np.savez(
        place / "faces.npz", images=pixels, labels=np.array([PEOPLE[n // 6] for n in range(60)])
    )
    return place / "faces.npz"


def ingested(cache: Cache, data: Path, run: str) -> History:
    """Do what a run does up to its Datasets: list, keep the listing, stage, ingest, record."""
    from dataclasses import replace

    graph = replace(quick_graph(["x"]), sources={"data": str(data)})
    excluded = read_exclusions(cache.store)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        source = listed_sources(graph, excluded)["data"]
    if data.is_dir() and excluded:
        said = [str(one.message) for one in told]
        assert len([text for text in said if "still holds 6 files that were erased" in text]) == 1
    put_source(cache.store, source)
    work = data.parent / secrets.token_hex(4)
    stage(source, work / "source")
    made = {port: work / port for port in ("dataset", "sealed", "report")}
    ingest(work / "source", *made.values(), task="verification", height=12, width=10, channels=1)
    history = History(cache, run, long_ago(1), name="faces")
    history.start()
    outputs = {
        port: {name: path.read_bytes() for name, path in files_of(root)}
        for port, root in made.items()
    }
    history.step("ingest", outputs, {"source": source.digest}, channels=1)
    history.end()
    return history


def fates_of(cache: Cache, history: History) -> dict[str, Any]:
    tree = history.outputs["ingest"]["dataset"]
    paths = {entry.path for entry in cache.tree(tree).entries}
    fates = read_manifest(lambda name: cache.read_file(tree, name) if name in paths else None)
    return {fate.name: fate for fate in fates}


@pytest.mark.parametrize("make", [folder_of_faces, npz_of_faces])
def test_a_person_is_erased_and_the_same_data_is_ingested_again(
    cache: Cache, tmp_path: Path, make: Any
) -> None:
    data = make(tmp_path / "data")
    before = ingested(cache, data, "faces-1")
    others = {name: fate for name, fate in fates_of(cache, before).items() if fate.label != ANNA}
    split = next(fate.split for fate in fates_of(cache, before).values() if fate.label == ANNA)
    done = erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    held = "sealed" if split == "sealed" else "dataset"
    assert done.datasets[before.outputs["ingest"][held]] == 6
    assert not [one for one in done.unreached if "earlier version" in one]
    assert b"Anna" not in bytes_of(cache.store)
    assert {one.state for one in verify_store(cache.store)[1]} == {"erased"}
    left = fates_of(cache, before)
    assert {name: left[name].label for name in others} == {
        name: fate.label for name, fate in others.items()
    }
    images_of_split = [
        entry.sha256
        for entry in cache.tree(before.outputs["ingest"][held]).entries
        if entry.path == f"{split}/images.npy"
    ]
    store = cache.store
    assert all(store.stat(f"cas/sha256/{sha[:2]}/{sha}") is None for sha in images_of_split)
    again = ingested(cache, data, "faces-2")
    now = fates_of(cache, again)
    assert not [fate for fate in now.values() if fate.split and fate.name not in others]
    assert sum(bool(fate.split) for fate in now.values()) == 54
    told = json.loads(cache.read_file(again.outputs["ingest"]["report"], "ingest.json"))["use"]
    assert b"Anna" not in bytes_of(store), "nothing of them is written down again"
    if data.is_dir():  # the listing leaves them out
        assert told["used"] == 54
    else:
        (loss,) = told["left_out"]
        assert (loss["images"], EXCLUDED.partition(":")[0] in loss["reason"]) == (6, True)


def test_a_record_of_an_npz_by_the_pixels_of_the_file_that_it_came_from(
    cache: Cache, tmp_path: Path
) -> None:
    data = npz_of_faces(tmp_path / "data")
    history = ingested(cache, data, "faces-1")
    done = erase(cache, DataSubject.of_identity("ben"), actor="me", reason="")
    whole = hashlib.sha256(data.read_bytes()).hexdigest()
    assert whole not in done.excluded
    assert sorted(done.excluded.values()) == ["identity"] + ["pixels"] * 6
    (key,) = (key for key in cache.store.list("sources/"))
    source = read_source(cache.store, key[8:-5])
    assert source
    assert not source.gone
    assert len(fates_of(cache, history)) == 60
