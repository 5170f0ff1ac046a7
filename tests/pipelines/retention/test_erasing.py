"""Erasing: nobody who was erased is left in any byte of the store, and nobody else is lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.data.exclusions import identity_digest
from pipelines.retention.collecting import gc
from pipelines.retention.erasing import erase, resume
from pipelines.retention.holding import DataSubject
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.removal.erasures import erasures
from pipelines.runs.removal.exclusions import read_exclusions
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import blob_key, log_key, public_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.releases import entry_of
from tests.pipelines.retention.small_runs import History, long_ago, put_files, whole
from tests.pipelines.retention.test_collecting import living
from tests.pipelines.retention.test_killed_collection import KillingStore

ANNA, BEN = "Anna Roe", "ben"
FILES = {
    f"{person}/{number}.png": f"{person} {number}".encode().hex().zfill(64)
    for person in (ANNA, BEN, "cleo")
    for number in (1, 2)
}


def line(name: str, split: str | None, *, label: bool = True, **more: Any) -> dict[str, Any]:
    person = name.partition("/")[0]
    return {
        "name": name, "sha256": FILES[name], "status": "used", "split": split, "index": 0,
        "reason": None, "duplicate_of": None, **({"label": person} if label else {}),
        "pixels": FILES[name][::-1], **more,
    }  # fmt: skip


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical_json(one) + b"\n" for one in lines)


def faces(
    cache: Cache, run: str, *, people: tuple[str, ...] = (ANNA, BEN, "cleo"), root: str = ""
) -> History:
    """A run on pictures of people: ben alone is in the sealed split."""
    store, history = cache.store, History(cache, run, long_ago(1), name="faces", root=root)
    history.start()
    names = [name for name in FILES if name.partition("/")[0] in people]
    split = {ANNA: "train", BEN: "sealed", "cleo": "selection"}
    lines = [line(name, split[name.partition("/")[0]]) for name in names]
    page = canonical_json([[name, 10, FILES[name], "", ""] for name in names])
    store.put_if_absent(blob_key(sha(page)), page)
    source = sha(b"source" + page)
    listing = {"schema": 1, "format": "folder", "index": "", "excluded": [], "pages": [sha(page)]}
    store.put_if_absent(f"sources/{source}.json", canonical_json(listing))
    pictures = " ".join(name for name in names if BEN not in name).encode()

    def info(*splits: str) -> bytes:
        return json.dumps({"classes": list(people), "splits": dict.fromkeys(splits, 2)}).encode()

    ingest = history.step(
        "ingest",
        {
            "dataset": {
                "train/images.npy": b"train " + pictures, "train/labels.npy": b"labels",
                "selection/images.npy": b"selection", "manifest.jsonl": jsonl(lines),
                "dataset.json": info("train", "validation", "selection"),
            },
            "sealed": {
                "sealed/images.npy": b"sealed " + run.encode(), "dataset.json": info("sealed"),
                "manifest.jsonl": jsonl([one for one in lines if one["split"] == "sealed"]),
            },
            "report": {
                "ingest.json": json.dumps({"classes": dict.fromkeys(people, 2)}).encode(),
                "left_out.jsonl": jsonl([{"name": name, "kind": "odd"} for name in names[:1]]),
            },
        },
        {"source": source},
    )  # fmt: skip
    store.put_if_absent(log_key(run, "ingest"), f"1 odd, such as {names[0]}\n".encode())
    model = history.step(
        "train",
        {"model": {
            "model.json": b"{}", "weights.safetensors": b"w " + run.encode(),
            "samples.npz": b"samples " + run.encode(),
        }},
        {"dataset": ingest["dataset"]},
    )["model"]  # fmt: skip
    lite = history.step(
        "convert",
        {
            "lite": {"model.tflite": b"lite " + run.encode()},
            "report": {"parity.npz": model.encode()},
        },
        {"model": model},
    )["lite"]
    report = history.step(
        "evaluate",
        {
            "report": {
                "evaluation.json": b'{"worst": "%s"}' % names[0].encode(),
                "outputs.npy": run.encode(),
            }
        },
        {"model": lite, "dataset": ingest["dataset"]},
    )["report"]
    history.step(
        "publish",
        {
            "release": {
                "model.tflite": b"lite " + run.encode(),
                "manifest.json": b"{}",
                "card.html": b"<img src='data:image/png;base64,'>" + run.encode(),
            }
        },
        {"winner": lite, "decision": report},
    )
    history.end()
    history.release()
    return history


def sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def bytes_of(store: Store) -> bytes:
    return b"\n".join(key.encode() + store.get(key) for key in store.list(""))


def images_of(history: History) -> list[str]:
    return list(history.outputs["ingest"].values())


def test_nothing_of_the_person_is_left_and_the_others_are(cache: Cache) -> None:
    first = faces(cache, "faces-1")
    other = faces(cache, "faces-2", people=(BEN, "cleo"))
    assert ANNA.encode() in bytes_of(cache.store)
    entry = entry_of(first.outputs["publish"]["release"], run="faces-1")
    assert append(cache.store, read_log(cache.store, "faces"), entry)
    done = erase(cache, DataSubject.of_identity("anna roe "), actor="me", reason="asked")
    left = bytes_of(cache.store)
    for word in (ANNA, "Anna"):
        assert word.encode() not in left
    assert b"samples faces-1" not in left
    assert whole(cache, images_of(other))
    assert whole(cache, [tree for step in other.outputs.values() for tree in step.values()])
    manifest = cache.read_file(first.outputs["ingest"]["dataset"], "manifest.jsonl").decode()
    assert manifest.count(f'"{BEN}/') == 2
    assert done.datasets == {first.outputs["ingest"]["dataset"]: 2}
    assert [(one.name, one.run, one.champion) for one in done.releases] == [
        ("faces", "faces-1", True)
    ]
    assert done.models == 3
    assert any("train anew" in what for what in done.unreached)


def test_verify_says_erased_and_not_missing(cache: Cache) -> None:
    faces(cache, "faces-1")
    done = erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    found = verify_store(cache.store)[1]
    assert {one.state for one in found} == {"erased"}
    assert all(f"by me on {done.at[:10]}" in one.what for one in found)


def test_verify_names_what_is_there_again(cache: Cache) -> None:
    faces(cache, "faces-1")
    done = erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    faces(cache, "faces-2")  # as a machine that has not heard of it
    again = [one for one in verify_store(cache.store)[1] if "there again" in one.what]
    assert {one.place for one in again} <= set(done.removed)
    assert len(again) > 3
    erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    assert {one.state for one in verify_store(cache.store)[1]} == {"erased"}


def test_who_is_only_sealed_leaves_the_training_data_alone(cache: Cache) -> None:
    history = faces(cache, "faces-1")
    done = erase(cache, DataSubject.of_identity(BEN), actor="me", reason="")
    assert done.datasets[history.outputs["ingest"]["sealed"]] == 2
    assert done.datasets[history.outputs["ingest"]["dataset"]] == 0
    assert b"train " in bytes_of(cache.store)
    assert b"sealed faces-1" not in bytes_of(cache.store)
    assert not done.releases


def test_what_the_gate_cut_out_of_sealed_images_goes_with_them(cache: Cache) -> None:
    faces(cache, "faces-1")
    info = json.dumps({"classes": [], "splits": {"sealed": 1}}).encode()
    files = {"sealed/images.npy": b"a part", "manifest.jsonl": b"", "dataset.json": info}
    cut = put_files(cache, files)
    gate = History(cache, "gate-1", long_ago(1))
    report = {"evaluation.json": b"{}", "outputs.npy": b"embeddings of a part"}
    gate.step("evaluate-champion", {"report": report}, {"dataset": cut}, "evaluate")
    erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    assert b"a part" in bytes_of(cache.store), "she was not sealed"
    erase(cache, DataSubject.of_identity(BEN), actor="me", reason="")
    assert b"a part" not in bytes_of(cache.store)


def test_the_copies_for_apps_go_with_what_they_are_copies_of(cache: Cache) -> None:
    history = faces(cache, "faces-1")
    files = {entry.path: entry.sha256 for entry in cache.tree(history.release()).entries}
    for path, sha256 in files.items():
        data = cache.read_file(history.release(), path)
        cache.store.put_if_absent(public_key("faces", sha256), data)
    erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    left = {path for path, sha in files.items() if cache.store.stat(public_key("faces", sha))}
    assert left == {"model.tflite", "manifest.json"}


def test_a_file_takes_its_copies_and_what_it_stands_for_along(cache: Cache) -> None:
    faces(cache, "faces-1")
    name = f"{ANNA}/1.png"
    done = erase(cache, DataSubject.of_file(FILES[name]), actor="me", reason="")
    assert name.encode() not in bytes_of(cache.store)
    assert f"{ANNA}/2.png".encode() in bytes_of(cache.store)
    assert done.excluded == {FILES[name]: "file", FILES[name][::-1]: "pixels"}


def test_exclusions_name_nobody_and_runs_can_read_them(cache: Cache) -> None:
    faces(cache, "faces-1")
    assert read_exclusions(cache.store) == ()
    erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    pictures = [FILES[f"{ANNA}/{number}.png"] for number in (1, 2)]
    expected = {*pictures, *(digest[::-1] for digest in pictures), identity_digest("ANNA ROE")}
    assert set(read_exclusions(cache.store)) == expected


def test_without_labels_in_the_manifest_the_folders_tell(cache: Cache) -> None:
    history = History(cache, "faces-1", long_ago(1))
    history.start()
    lines = [line(name, "train", label=False) for name in FILES]
    for one in lines:
        del one["pixels"]
    info = json.dumps({"classes": [], "splits": {"train": 6}}).encode()
    files = {"train/images.npy": b"x", "manifest.jsonl": jsonl(lines), "dataset.json": info}
    tree = history.step("ingest", {"dataset": files}, {"source": "0" * 64})["dataset"]
    history.end()
    assert erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="").datasets == {tree: 2}


def test_whom_nobody_holds(cache: Cache) -> None:
    faces(cache, "faces-1")
    before = set(cache.store.list(""))
    with pytest.raises(UserError, match="holds the identity 'Dora'"):
        erase(cache, DataSubject.of_identity("Dora"), actor="me", reason="")
    assert set(cache.store.list("")) == before


def test_not_beside_a_run(cache: Cache) -> None:
    faces(cache, "faces-1")
    with living(cache, "digits-2") as going:
        with pytest.raises(UserError, match="digits-2 may still"):
            erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
        assert not erasures(cache.store)
        going.end()
    assert erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="").finished


def test_a_later_gc_keeps_what_is_left_of_documents(cache: Cache) -> None:
    history = faces(cache, "faces-1")
    erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    for _ in range(2):
        gc(cache.store, actor="me", keep_s=0, wait_s=0)
    assert cache.read_file(history.outputs["ingest"]["dataset"], "manifest.jsonl")
    assert not [one for one in verify_store(cache.store)[1] if one.state == "missing"]


def test_one_person_after_the_other(cache: Cache) -> None:
    history = faces(cache, "faces-1")
    for person in (ANNA, "cleo"):
        erase(cache, DataSubject.of_identity(person), actor="me", reason="")
        assert f"{person}/".encode() not in bytes_of(cache.store)
    manifest = cache.read_file(history.outputs["ingest"]["dataset"], "manifest.jsonl")
    assert len(manifest.splitlines()) == 2


def test_this_machine_forgets(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.disk.cache_folder import cache_folder
    from pipelines.sources.checksums import ChecksumCache, FileState
    from pipelines.stores.directory import DirectoryStore

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    history = faces(cache, "faces-1")
    kept = DirectoryStore(cache_folder())
    listing = cache.tree(history.outputs["ingest"]["dataset"])
    for entry in listing.entries:
        kept.put_if_absent(blob_key(entry.sha256), b"a copy of it")
    name = f"{ANNA}/1.png"
    with ChecksumCache(cache_folder() / "checksums.sqlite") as sums:
        sums.remember([(FileState(f"/data/{name}", 1, 0, 0, 1), FILES[name])], 10**19)
        sums.remember([(FileState("/data/x", 1, 0, 0, 1), "f" * 64)], 10**19)
    (cache_folder() / "index").mkdir()
    (cache_folder() / "index" / "x.sqlite").write_text(ANNA)
    done = erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    assert done.removed_elsewhere > 3
    left = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert not any(b"Anna" in path.read_bytes() for path in left)
    paths = {entry.path: blob_key(entry.sha256) for entry in listing.entries}
    assert kept.stat(paths["train/images.npy"]) is None
    assert kept.stat(paths["selection/images.npy"]) is not None
    with ChecksumCache(cache_folder() / "checksums.sqlite") as sums:
        assert set(sums.known("/data").values()) == {"f" * 64}


def test_what_a_cluster_keeps_goes_too(cache: Cache, request: pytest.FixtureRequest) -> None:
    from pipelines.stores.objects import ABSENT
    from pipelines.stores.services import open_objects

    gcs = request.getfixturevalue("gcs")
    gcs.bucket("cluster")
    root = "gs://cluster/pipelines"
    history = faces(cache, "faces-1", root=root)
    (source,) = (key[8:-5] for key in cache.store.list("sources/"))
    objects = open_objects(root, "cluster")
    kept = ["pipelines/sources/other/files/x.png", f"{history.folder('train')[13:]}/model/weights"]
    for name in (
        f"pipelines/sources/{source}/files/{ANNA}/Zoë [1].png",
        f"pipelines/sources/{source}/source.json",
        f"{history.folder('ingest')[13:]}/dataset/train/images.npy",
        f"{history.folder('train')[13:]}/model/samples.npz",
        *kept,
    ):
        objects.write(name, b"x", ABSENT, "")
    done = erase(cache, DataSubject.of_identity(ANNA), actor="me", reason="")
    assert sorted(found.name for found in objects.list("")) == sorted(kept)
    assert any("recurring runs" in what for what in done.unreached)


def erased_but_killed(uri: str, chosen: int, folder: Path) -> bool:
    process = os.fork()
    if process == 0:
        store: Any = KillingStore(open_store(uri, cache=folder), chosen)
        erase(Cache(store, folder), DataSubject.of_identity(ANNA), actor="me", reason="")
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("kind", ["directory", "bucket"])
def test_killed_on_the_way_it_is_ended_by_resume(
    kind: str, request: pytest.FixtureRequest, fast_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    if kind == "bucket":
        request.getfixturevalue("gcs_process")()
    for point in (25,) if kind == "bucket" else (9, 14, 25, 33):
        uri = f"gs://stores/{point}" if kind == "bucket" else str(fast_disk / f"store-{point}")
        cache = Cache(open_store(uri, cache=fast_disk / "cache", direct=True), fast_disk / "work")
        faces(cache, "faces-1")
        assert erased_but_killed(uri, point, fast_disk / "cache")
        assert [one.finished for one in erasures(cache.store)] == [None]
        (done,) = resume(cache)
        assert done.finished
        assert b"Anna" not in bytes_of(cache.store)
        assert not [one for one in verify_store(cache.store)[1] if one.state != "erased"]
