"""Unseen: new photographs of a known person, and images that were decoded in another way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.releases.gate_finding import CannotDecideError
from pipelines.releases.published import PublishedRelease
from pipelines.releases.unseen import unseen
from pipelines.runs.cache import Cache
from pipelines.runs.keys import Ingredients
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.stores.opening import open_store
from tests.data.challengers import Run, write_run


@pytest.fixture
def cache(store_uri: Callable[[str], str], tmp_path: Path) -> Cache:
    return Cache(open_store(store_uri("unseen")), tmp_path / "work")


def with_dataset(
    cache: Cache,
    one: PublishedRelease,
    folder: Path,
    *,
    split_by: str,
    labels: dict[str, str] | None = None,
    groups: bool = False,
) -> PublishedRelease:
    """Return a release whose data was divided in another way."""
    assert one.record
    outputs: dict[str, str] = {}
    for port, split in (("dataset", "train"), ("sealed", "sealed")):
        tree = one.output("ingest", port)
        assert tree
        staged = cache.stage(tree, folder / f"{one.run}-{port}")
        path = folder / f"{one.run}-{port}-edited"
        path.mkdir()
        described = json.loads((staged / "dataset.json").read_bytes())
        described["split_by"] = split_by
        if groups:
            described["groups"] = ["north", "south"] if port == "sealed" else ["south", "east"]
        (path / "dataset.json").write_text(json.dumps(described))
        lines = [json.loads(line) for line in (staged / "manifest.jsonl").read_text().splitlines()]
        for line in lines:
            line["label"] = (labels or {}).get(line["split"], line["label"])
        (path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
        if groups:
            (path / split).mkdir()
            count = described["splits"][split]
            places = np.arange(count) % 2 if port == "sealed" else np.zeros(count)
            np.save(path / split / "groups.npy", places.astype(np.int32))
        outputs[port] = cache.put_tree(path).digest
    steps: dict[str, Any] = {**one.record.steps, "ingest": {"state": "done", "outputs": outputs}}
    return replace(one, record=replace(one.record, steps=steps))


def test_a_known_person_is_seen_whatever_the_photograph(cache: Cache, tmp_path: Path) -> None:
    challenger, champion = (
        write_run(cache, Run("faces-a", trained=range(40))),
        write_run(cache, Run("faces-b", trained=range(100, 140))),
    )
    assert unseen(cache, challenger, champion).left_out == 0
    one = with_dataset(
        cache, challenger, tmp_path, split_by="identity",
        labels={"train": "Ann", "sealed": "Kim Roe"},
    )  # fmt: skip
    for trained_on, left_out in (("kim roe ", 260), ("Bob", 0)):
        folder = tmp_path / trained_on
        folder.mkdir()
        labels = {"train": trained_on, "sealed": "Zoe"}
        other = with_dataset(cache, champion, folder, split_by="identity", labels=labels)
        found = unseen(cache, one, other)
        assert (len(found.rows), found.left_out) == (260 - left_out, left_out)


def test_a_known_group_is_seen(cache: Cache, tmp_path: Path) -> None:
    challenger, champion = write_run(cache, Run("faces-a")), write_run(cache, Run("faces-b"))
    one = with_dataset(cache, challenger, tmp_path, split_by="group", groups=True)
    other = with_dataset(cache, champion, tmp_path, split_by="group", groups=True)
    found = unseen(cache, one, other)
    assert found.rows == tuple(range(0, 260, 2))  # the north; the south is in both
    without = with_dataset(cache, write_run(cache, Run("faces-c")), tmp_path, split_by="group")
    with pytest.raises(CannotDecideError, match="which groups the sealed images"):
        unseen(cache, without, other)


def test_pixels_of_another_decoding_tell_nothing(cache: Cache) -> None:
    challenger, champion = write_run(cache, Run("faces-a")), write_run(cache, Run("faces-b"))

    def decoded(one: PublishedRelease, channels: int) -> PublishedRelease:
        parameters = {"channels": channels, "maximum": 255, "background": "white"}
        ingredients = Ingredients(
            "ingest", "0" * 64, "0" * 64, {"source": "0" * 64, "pairs": None}, parameters, None
        )
        record = put_step_record(
            cache.store, one.run, "ingest",
            step_record(
                run=one.run, step="ingest", engine="local", ingredients=ingredients, outputs={},
                trees={}, statement={}, image_digest=None, wall_s=1.0,
            ),
        )  # fmt: skip
        assert one.record
        steps = {**one.record.steps, "ingest": {**one.record.steps["ingest"], "record": record}}
        return replace(one, record=replace(one.record, steps=steps))

    with pytest.raises(CannotDecideError, match="were not decoded in the same way"):
        unseen(cache, decoded(challenger, 1), decoded(champion, 3))
    assert len(unseen(cache, decoded(challenger, 3), decoded(champion, 3)).rows) == 260
