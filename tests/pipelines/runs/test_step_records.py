"""Records of executions: both versions read as one, and what is no record is named."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import Entry, Tree
from pipelines.runs.cache import Cache
from pipelines.runs.keys import Ingredients
from pipelines.runs.results import CachedResult, disagreement
from pipelines.runs.statements import read_statement
from pipelines.runs.step_records import (
    FILES_MAX,
    put_step_record,
    read_ingredients,
    read_record,
    step_record,
    unexecuted_record,
)
from pipelines.runs.verifying import quarantine_damaged, verify_store
from pipelines.stores.store import Store
from tests.data.earlier_records import step_record_v1, unexecuted_record_v1
from tests.pipelines.stores.damage import overwrite

RUN = "digits-20260102-030405-abcd"
MADE_OF = Ingredients(
    "ingest", "c" * 64, "e" * 64, {"source": "5" * 64, "pairs": None}, {"seed": 0}, None
)
STATED: dict[str, Any] = {
    "outcome": {"result": "ok"},
    "started": "2026-01-02T03:04:05.678+00:00",
    "versions": {"python": "3.11.2"},
    "machine": {"cores": 2},
}


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


def made(store: Store, tmp_path: Path, files: dict[str, bytes]) -> Tree:
    """A tree in the store."""
    folder = tmp_path / f"tree-{len(list(tmp_path.iterdir()))}"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return Cache(store, tmp_path / "scratch").put_tree(folder)


def v2(trees: dict[str, Tree], **changes: Any) -> dict[str, object]:
    outputs = {name: tree.digest for name, tree in trees.items()}
    given: dict[str, Any] = {
        "run": RUN, "step": "ingest", "engine": "local", "ingredients": MADE_OF,
        "outputs": outputs, "trees": trees, "statement": STATED, "image_digest": "sha256:1",
        "wall_s": 2.0, **changes,
    }  # fmt: skip
    return step_record(**given)


def test_both_versions_are_read_as_one(store: Store, tmp_path: Path) -> None:
    tree = made(store, tmp_path, {"a.txt": b"a", "deep/b.txt": b"b"})
    outputs = {"dataset": tree.digest}
    old = step_record_v1(
        run=RUN, step="ingest", ingredients=MADE_OF, outputs=outputs, statement=STATED, wall_s=2.0
    )
    keys = [
        put_step_record(store, RUN, "ingest", record)
        for record in (old, v2({"dataset": tree}, image_digest=None))
    ]
    first, second = (read_record(store, key) for key in keys)
    assert first
    assert second
    assert (first.version, second.version) == (1, 2)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.files == {}
    assert second.files == {
        ("dataset", "a.txt"): hashlib.sha256(b"a").hexdigest(),
        ("dataset", "deep/b.txt"): hashlib.sha256(b"b").hexdigest(),
    }
    assert replace(
        second, version=1, files={}, attempt=1, record=first.record, finished=first.finished
    ) == first  # fmt: skip
    assert (first.run, first.step, first.component, first.engine) == (
        RUN, "ingest", "ingest", "local",
    )  # fmt: skip
    assert (first.outcome, first.key, first.outputs) == ("ok", MADE_OF.key, outputs)
    assert first.ingredients == MADE_OF.to_json() == read_ingredients(store, keys[0])
    assert (first.versions, first.machine) == (STATED["versions"], STATED["machine"])
    for key in keys:
        entry = CachedResult(MADE_OF.key, outputs, key, 1.0)
        assert disagreement(store, MADE_OF.key, entry) is None
        other = replace(entry, outputs={"dataset": "0" * 64})
        assert "outputs" in (disagreement(store, MADE_OF.key, other) or "")


@pytest.mark.parametrize("result", ["skipped", "killed"])
def test_both_versions_of_a_step_without_an_execution(store: Store, result: str) -> None:
    old = unexecuted_record_v1(
        run=RUN, step="train", component="train", result=result, because="the reason"
    )
    new = unexecuted_record(
        run=RUN, step="train", component="train", engine="local", result=result,
        because="the reason",
    )  # fmt: skip
    for record in (old, new):
        key = put_step_record(store, RUN, "train", record)
        found = read_record(store, key)
        assert found
        assert (found.outcome, found.component, found.key) == (result, "train", None)
        assert found.stated["outcome"]["what"] == "the reason"
        assert found.ingredients == found.outputs == found.files == {}
        assert read_ingredients(store, key) is None


def test_a_statement_is_one_of_in_toto_and_slsa() -> None:
    tree = Tree((Entry(".", 1, "a" * 64),))
    record = v2({"dataset": tree})
    assert set(record) == {"_type", "subject", "predicateType", "predicate"}
    assert record["subject"] == [
        {"name": "dataset", "digest": {"sha256": "a" * 64}},
        {"name": "dataset", "digest": {"slimlineTree": tree.digest}},
    ]
    predicate: Any = record["predicate"]
    assert set(predicate) == {"buildDefinition", "runDetails", "slimline_execution"}
    assert predicate["runDetails"]["builder"]["id"] == "urn:slimline:engine:local"
    assert predicate["buildDefinition"]["resolvedDependencies"] == [
        {"name": "source", "digest": {"slimlineSource": "5" * 64}}
    ]
    assert read_statement(canonical_json(record)).files == {("dataset", "."): "a" * 64}


def test_files_beyond_the_first_thousand_are_counted() -> None:
    entries = tuple(Entry(f"{n:05}", 1, f"{n:064x}") for n in range(FILES_MAX + 5))
    found = read_statement(canonical_json(v2({"dataset": Tree(entries)})))
    assert len(found.files) == FILES_MAX
    assert found.unlisted_files == 5


@pytest.mark.parametrize("outputs", [{}, {"dataset": "1" * 64}])
def test_a_process_that_was_killed_stated_nothing(outputs: dict[str, str]) -> None:
    data = canonical_json(v2({}, statement={}, outputs=outputs))
    assert read_statement(data).outputs == outputs


def later(record: dict[str, Any]) -> dict[str, Any]:
    """The record as a later version may write it: nothing of its form is known."""
    record["predicate"] = {"buildDefinition": {"buildType": "urn:slimline:step:3", "new": True}}
    return record


def test_a_record_of_a_later_version_is_named_and_never_moved(store: Store, tmp_path: Path) -> None:
    tree = made(store, tmp_path, {"a.txt": b"a"})
    key = put_step_record(store, RUN, "ingest", later(v2({"dataset": tree})))
    with pytest.raises(UserError, match="which a later slimline writes") as caught:
        read_record(store, key)
    assert "update slimline" in caught.value.fix
    entry = CachedResult(MADE_OF.key, {"dataset": tree.digest}, key, 1.0)
    assert disagreement(store, MADE_OF.key, entry) is None
    (fault,) = (one for one in verify_store(store)[1] if one.place == key)
    assert fault.state == "foreign"
    quarantine_damaged(store, [fault])
    assert store.stat(key)


DAMAGE = {
    "not JSON": b"<html>",
    "null": b"null",
    "no statement": b"{}",
    "another type": canonical_json(
        {"predicate": {"buildDefinition": {"buildType": "https://example.com/build"}}}
    ),
}


@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_record_is_said_to_be_damaged(store: Store, data: bytes) -> None:
    key = f"runs/{RUN}/steps/ingest.json"
    store.put_if_absent(key, data)
    with pytest.raises(UserError, match=rf"{key} in the store .* is damaged"):
        read_record(store, key)
    assert {one.place: one.state for one in verify_store(store)[1]} == {key: "damaged"}
    assert read_record(store, key.replace("ingest", "gone")) is None


def without_tree(record: dict[str, Any]) -> None:
    record["subject"].pop()


def strange_digest(record: dict[str, Any]) -> None:
    record["subject"][0]["digest"] = {"gitCommit": "1"}


def no_execution(record: dict[str, Any]) -> None:
    del record["predicate"]["slimline_execution"]


def strange_engine(record: dict[str, Any]) -> None:
    record["predicate"]["runDetails"]["builder"]["id"] = "https://example.com"


@pytest.mark.parametrize("change", [without_tree, strange_digest, no_execution, strange_engine])
def test_a_record_of_the_right_type_that_is_not_whole(change: Any) -> None:
    record = json.loads(canonical_json(v2({"dataset": Tree((Entry("a", 1, "a" * 64),))})))
    assert read_statement(canonical_json(record))
    change(record)
    with pytest.raises(ValueError, match=r".+"):
        read_statement(canonical_json(record))


def other_file(subjects: list[Any]) -> None:
    subjects[0]["digest"]["sha256"] = "0" * 64


def one_file_less(subjects: list[Any]) -> None:
    subjects.pop(0)


@pytest.mark.parametrize("change", [other_file, one_file_less])
def test_files_that_are_not_those_of_the_tree_are_named(
    store: Store, tmp_path: Path, change: Any
) -> None:
    tree = made(store, tmp_path, {"a.txt": b"a", "b.txt": b"b"})
    record = json.loads(canonical_json(v2({"dataset": tree})))
    key = put_step_record(store, RUN, "ingest", record)
    assert verify_store(store)[1] == []
    change(record["subject"])
    overwrite(store, key, canonical_json(record))
    assert {one.place: one.state for one in verify_store(store)[1]} == {key: "damaged"}
