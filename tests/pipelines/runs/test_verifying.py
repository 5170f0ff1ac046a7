"""Verify: each kind of damage to each kind of object is named, on a disk and in a bucket."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contract.source import SourceFile
from pipelines.runs.cache import Cache
from pipelines.runs.joined_records import join_records
from pipelines.runs.kept.kept_documents import put_documents
from pipelines.runs.kept.kept_sources import KeptSource, put_source
from pipelines.runs.keys import Ingredients
from pipelines.runs.ledger import open_sealed
from pipelines.runs.records import list_runs
from pipelines.runs.releases.registry import register_release
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.runs.verifying import verify_run, verify_store
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key, kind_of, result_key, started_key, tree_key
from tests.pipelines.launch.published import publish_run, record_of
from tests.pipelines.stores.damage import overwrite, remove

GRAPH = []


@pytest.fixture(params=["directory", "bucket"])
def cache(request, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if request.param == "directory":
        store = DirectoryStore(tmp_path / "store")
    else:
        request.getfixturevalue("gcs").bucket("stores")
        store = BucketStore("gs://stores/x")
    return fill(Cache(store, tmp_path / "scratch"))


def fill(cache):
    """A store with a run: one object of each kind that refers to others."""
    from components.contract.digests import canonical_json, digest
    from pipelines.runs.records import put_finished, put_started
    from pipelines.stores.layout import graph_key, log_key

    store, run = cache.store, "digits-1"
    published = publish_run(cache, "other-1")
    remove(store, "runs/other-1/run.json")
    ingredients = Ingredients("publish", "c", "e", {"winner": "1" * 64}, {"seed": 0}, None)
    outputs = {"release": published.release}
    record = put_step_record(
        store, run, "publish",
        step_record(
            run=run, step="publish", engine="local", ingredients=ingredients, outputs=outputs,
            trees={"release": cache.tree(published.release)}, statement={}, image_digest=None,
            wall_s=1.0,
        ),
    )  # fmt: skip
    cache.commit(CachedResult(ingredients.key, outputs, record, 1.0))
    graph = digest("graph", GRAPH)
    store.put_if_absent(graph_key(graph), canonical_json(GRAPH))
    steps = {
        "publish": {
            "state": "done", "outputs": outputs, "record": record, "key": ingredients.key
        },
        "select": {
            "state": "done", "outputs": {"page": published.page, "decision": published.decisions[0]}
        },
    }  # fmt: skip
    whole = record_of(run, steps)
    object.__setattr__(whole, "graph_digest", graph)
    put_started(store, whole)
    put_finished(store, whole)
    register_release(store, "digits", run, published.release)
    open_sealed(store, "5" * 64, run, "evaluate-sealed")
    store.put_if_absent(log_key(run, "publish"), b"\xff\0 anything")
    put_documents(store, [("config", {"a": 1}), ("code", {"a.py": "b"}), ("environment", {"a": 1})])
    put_source(store, KeptSource("folder", (SourceFile("a/b.png", 1, "0" * 64),), "", ()))
    join_records(store, run)
    return cache


def key_of(cache, kind):
    return next(key for key in cache.store.list("") if kind_of(key) == kind)


def named(cache):
    return {finding.place: finding.state for finding in verify_store(cache.store)[1]}


SHAPES = {
    "bytes": b"\x80\xff\0\x01",
    "empty": b"",
    "not JSON": b"<html>",
    "null": b"null",
    "number": b"1",
    "list": b"[[1]]",
    "object": b"{}",
    "wrong types": json.dumps(
        {
            "run": 5, "release": [], "entries": {"a": 1}, "outputs": [1], "key": {}, "record": 7,
            "subject": 3, "predicate": [], "steps": 4, "step": None, "function_s": "x",
        }
    ).encode(),
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "huge number": b'{"entries": [["a", 1' + b"0" * 5000 + b', "b"]], "function_s": 1e999}',
    "surrogate": b'{"run": "\\ud800", "step": "\\ud800", "release": "\\ud800", "key": "\\ud800"}',
}  # fmt: skip
JSON_KINDS = (
    "tree", "result", "graph", "run", "step", "release", "ledger", "source", "config", "code",
    "environment", "records",
)  # fmt: skip


def test_what_is_whole_is_not_named(cache):
    count, findings = verify_store(cache.store)
    assert findings == []
    assert count == len(list(cache.store.list("")))
    assert {kind_of(key) for key in cache.store.list("")} == {*JSON_KINDS, "blob", "log", "journal"}
    count, findings = verify_run(cache.store, "digits-1")
    assert findings == []
    assert count > 5


@pytest.mark.parametrize("kind", [*JSON_KINDS, "blob"])
def test_every_shape_of_damage_is_named_and_hides_nothing(cache, kind):
    other = key_of(cache, "ledger" if kind != "ledger" else "release")
    whole = cache.store.get(other)
    key = key_of(cache, kind)
    for shape in SHAPES.values():
        overwrite(cache.store, key, shape)
        found = named(cache)
        assert found.get(key) == "damaged", shape[:40]
        overwrite(cache.store, other, b"{")
        assert named(cache)[other] == "damaged"
        overwrite(cache.store, other, whole)
        list_runs(cache.store) if kind != "run" else None
        assert cache.lookup("5" * 64) is None


def test_what_something_refers_to_and_is_gone_is_missing(cache):
    (blob, *_) = cache.tree(publish_of(cache)).entries
    for key in (blob_key(blob.sha256), tree_key(publish_of(cache)), key_of(cache, "step")):
        data = cache.store.get(key)
        remove(cache.store, key)
        assert named(cache) == {key: "missing"}
        findings = verify_run(cache.store, "digits-1")[1]
        assert [(finding.place, finding.state) for finding in findings] == [(key, "missing")]
        cache.store.put_if_absent(key, data)


def publish_of(cache):
    return json.loads(cache.store.get(key_of(cache, "result")))["outputs"]["release"]


def test_a_flipped_byte_is_named(cache):
    (blob, *_) = cache.tree(publish_of(cache)).entries
    key = blob_key(blob.sha256)
    data = cache.store.get(key)
    overwrite(cache.store, key, bytes([data[0] ^ 1, *data[1:]]))
    assert named(cache) == {key: "damaged"}
    assert verify_run(cache.store, "digits-1")[1][0].place == key


def swapped_outputs(entry):
    entry["outputs"] = {"release": "0" * 64}


def another_key(entry):
    entry["key"] = "0" * 64


@pytest.mark.parametrize("change", [swapped_outputs, another_key])
def test_an_entry_that_disagrees_is_named_and_no_hit(cache, tmp_path, change):
    key = key_of(cache, "result")
    step_key = key.removeprefix("ac/").removesuffix(".json")
    again = Cache(cache.store, tmp_path / "again")
    assert again.lookup(step_key)
    entry = json.loads(cache.store.get(key))
    change(entry)
    overwrite(cache.store, key, json.dumps(entry).encode())
    assert named(cache)[key] == "damaged"
    assert again.lookup(step_key) is None
    assert [name for name in cache.store.list("quarantine/") if "ac_" in name]
    assert key not in named(cache)


def test_a_record_under_the_name_of_another_step_is_named(cache):
    key = key_of(cache, "step")
    other = key.replace("publish", "select")
    cache.store.put_if_absent(other, cache.store.get(key))
    assert named(cache) == {other: "damaged"}
    changed = json.loads(cache.store.get(key))
    changed["predicate"]["buildDefinition"]["internalParameters"]["parameters"]["seed"] = 1
    overwrite(cache.store, key, json.dumps(changed).encode())
    assert named(cache)[key] == "damaged"
    run = started_key("digits-1")
    cache.store.put_if_absent("runs/digits-2/started.json", cache.store.get(run))
    assert named(cache)["runs/digits-2/started.json"] == "damaged"


def test_what_slimline_writes_nowhere_is_foreign(cache):
    for key in ("notes.txt", "cas/sha256/ab/short", "runs/digits-1/mine.json"):
        cache.store.put_if_absent(key, b"mine")
    found = named(cache)
    assert found == {
        "notes.txt": "foreign",
        "cas/sha256/ab/short": "foreign",
        "runs/digits-1/mine.json": "foreign",
    }
    assert [f.state for f in verify_run(cache.store, "digits-1")[1]] == ["foreign"]


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name[:60])
        Path(path.name[:60]).rename(path.name)
    finally:
        os.chdir(here)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "socket": make_socket,
    "folder": lambda path: (path / "inner").mkdir(parents=True),
    "full folder": lambda path: (path.mkdir(), (path / "mine.txt").write_text("mine")),
    "loose link": lambda path: path.symlink_to("nowhere"),
    "link to a folder": lambda path: path.symlink_to("/etc"),
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("kind", ["blob", "tree", "result"])
def test_special_files_are_named_moved_aside_and_repaired(tmp_path, kind, special):
    cache = fill(Cache(DirectoryStore(tmp_path / "store"), tmp_path / "scratch"))
    release, result = publish_of(cache), json.loads(cache.store.get(key_of(cache, "result")))
    files = cache.stage(release, tmp_path / "files")
    key = {
        "blob": blob_key(cache.tree(release).entries[0].sha256),
        "tree": tree_key(release),
        "result": result_key(result["key"]),
    }[kind]
    path = tmp_path / "store" / key
    path.unlink()
    SPECIAL[special](path)
    found = named(cache)
    if "folder" not in special or special == "link to a folder":
        assert found[key] == "damaged"
    elif kind != "result":
        assert found[key] == "missing"
    again = Cache(cache.store, tmp_path / "again")
    assert again.lookup(result["key"]) is None
    assert again.put_tree(files).digest == release
    assert again.commit(CachedResult(**result))
    assert Cache(cache.store, tmp_path / "third").lookup(result["key"])
    assert named(cache) == {}
    assert len(list((tmp_path / "store" / "quarantine").iterdir())) == 1


def test_names_that_no_key_has_are_foreign(tmp_path):
    cache = fill(Cache(DirectoryStore(tmp_path / "store"), tmp_path / "scratch"))
    place = tmp_path / "store"
    (place / "two words.txt").write_text("mine")
    (place / os.fsdecode(b"odd\xff")).write_text("mine")
    (place / "cas" / "loop").symlink_to("..")
    assert sorted(named(cache).values()) == ["damaged", "foreign", "foreign"]
