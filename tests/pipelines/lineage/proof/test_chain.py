"""The chain: each thing that can be wrong is found at its link, over both stores."""

import json
import shutil
from dataclasses import asdict, replace

import pytest

from components.contract.digests import canonical_json, digest
from pipelines.lineage.naming import FileNamed, ReleaseNamed, RunNamed, StepNamed, resolve
from pipelines.lineage.proof.chain import Extent
from pipelines.lineage.proof.verifying import verify_chain
from pipelines.runs.cache import Cache
from pipelines.runs.removal.tombstones import Tombstone, put_tombstone
from pipelines.stores.layout import (
    blob_key,
    code_key,
    config_key,
    environment_key,
    graph_key,
    release_key,
    result_key,
    run_key,
    source_key,
    tombstone_key,
    tree_key,
)
from tests.pipelines.stores.damage import overwrite, remove


def chain_of(store, kept, **extent):
    named = ReleaseNamed("digits", kept.run, kept.release)
    return verify_chain(store, named, Extent(**extent))


def states(chain):
    return {link.name: link.state for link in chain.links if link.state != "proved"}


def entry(store, kept, step, output, path):
    tree = kept.record.steps[step]["outputs"][output]
    listed = Cache(store, None).tree(tree).entries
    return next(blob_key(one.sha256) for one in listed if one.path == path)


def test_every_link_of_a_whole_release_is_proved(store, kept, data):
    chain = chain_of(store, kept)
    assert states(chain) == {}
    names = [link.name for link in chain.links]
    assert names == [
        "release digits", "run digits-1", "step publish", "step select", "step benchmark-teacher-host",
        "step convert-teacher", "step train", "step ingest", "source data", "manifest",
        "files of data",
    ]  # fmt: skip
    assert chain.first_broken is None
    assert chain.below == ()
    assert f"8 files at {data}, every byte" in chain.links[-1].said
    deep = chain_of(store, kept, deep=True)
    assert states(deep) == {}
    assert deep.read_bytes > chain.read_bytes


def test_a_run_a_step_a_file_and_a_digest_lead_to_the_same_chain(store, kept, tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(kept.model)
    for text in ("digits@latest", kept.run, str(file), kept.release):
        chain = verify_chain(store, resolve(store, None, text), Extent())
        assert states(chain) == {}
        assert chain.run == kept.run
    chain = verify_chain(store, StepNamed(kept.run, "train"), Extent())
    assert [link.name for link in chain.links][1:3] == ["step train", "step ingest"]


def test_a_file_of_no_release_is_refused(store, kept, tmp_path):
    from components.contract.errors import UserError

    file = tmp_path / "model.tflite"
    file.write_bytes(kept.model + b"!")
    with pytest.raises(UserError, match=r"no release in the store .* holds"):
        verify_chain(store, resolve(store, None, str(file)), Extent())
    file.write_bytes(kept.model)
    assert verify_chain(store, resolve(store, None, str(file)), Extent()).first_broken is None


# blobs ------------------------------------------------------------------------------------------


def test_a_flipped_blob_of_the_release_is_found_without_deep(store, kept):
    key = entry(store, kept, "publish", "release", "model.tflite")
    data = store.get(key)
    overwrite(store, key, bytes([data[0] ^ 1, *data[1:]]))
    chain = chain_of(store, kept)
    assert chain.first_broken.name == "release digits"
    assert chain.below == ("digits/digits-1",)


def test_a_flipped_blob_of_a_step_is_found_by_deep_and_one_cut_short_always(store, kept):
    key = entry(store, kept, "train", "model", "weights.safetensors")
    data = store.get(key)
    overwrite(store, key, bytes([data[0] ^ 1, *data[1:]]))
    assert states(chain_of(store, kept)) == {}
    chain = chain_of(store, kept, deep=True)
    assert states(chain) == {"step train": "damaged"}
    assert chain.links[6].faults[0].place == key
    overwrite(store, key, data[:-1])
    assert states(chain_of(store, kept)) == {"step train": "damaged"}


def test_a_missing_blob_and_an_erased_one_are_told_apart(store, kept):
    key = entry(store, kept, "ingest", "dataset", "images.npy")
    remove(store, key)
    assert states(chain_of(store, kept)) == {"step ingest": "missing"}
    put_tombstone(store, stone_of(key, "erased"))
    chain = chain_of(store, kept)
    assert states(chain) == {"step ingest": "erased"}
    assert chain.first_broken.name == "step ingest"
    assert "erased by ann@desk on 2026-03-01T00:00:00Z (e1)" in chain.first_broken.faults[0].what
    assert chain.below == ("digits/digits-1",)


def stone_of(key, why):
    sha = key.rpartition("/")[2]
    return Tombstone(sha, "blob", why, "e1", "ann@desk", "2026-03-01T00:00:00Z")


def test_what_was_collected_is_said_and_breaks_nothing(store, kept):
    key = entry(store, kept, "train", "model", "weights.safetensors")
    remove(store, key)
    put_tombstone(store, stone_of(key, "collected"))
    chain = chain_of(store, kept)
    assert states(chain) == {"step train": "collected"}
    assert chain.first_broken is None
    assert chain.below == ()


def test_a_tombstone_of_something_else_or_a_damaged_one_excuses_nothing(store, kept):
    key = entry(store, kept, "train", "model", "weights.safetensors")
    remove(store, key)
    sha = key.rpartition("/")[2]
    store.put_if_absent(tombstone_key(sha), b'{"why": "erased"}')
    assert states(chain_of(store, kept)) == {"step train": "missing"}
    other = canonical_json(asdict(stone_of(blob_key("0" * 64), "erased")))
    overwrite(store, tombstone_key(sha), other)
    assert states(chain_of(store, kept)) == {"step train": "missing"}


# records ----------------------------------------------------------------------------------------


def edit(store, key, change):
    value = json.loads(store.get(key))
    change(value)
    overwrite(store, key, canonical_json(value))


def definition(record):
    return record["predicate"]["buildDefinition"]["internalParameters"]


RECORD_EDITS = {
    "a parameter": lambda r: definition(r)["parameters"].update(epochs=2),
    "the code": lambda r: definition(r).update(code="0" * 64),
    "an input": lambda r: definition(r)["inputs"].update(dataset="0" * 64),
    "the key": lambda r: r["predicate"]["slimline_execution"].update(key="0" * 64),
    "an output": lambda r: r["subject"][-1]["digest"].update(slimlineTree="0" * 64),
    "a file": lambda r: r["subject"][0]["digest"].update(sha256="0" * 64),
    "whose it is": lambda r: r["predicate"]["runDetails"]["metadata"].update(invocationId="x/y"),
    "what its process stated": lambda r: r["predicate"]["runDetails"]["byproducts"][0]["content"][
        "outputs"
    ]["model"].update(digest="0" * 64),
    "everything": lambda r: r.clear(),
}


def test_an_edited_record_is_found(store, kept):
    key = kept.record.steps["train"]["record"]
    whole = store.get(key)
    for edited, change in RECORD_EDITS.items():
        edit(store, key, change)
        chain = chain_of(store, kept)
        assert states(chain)["step train"] == "damaged", edited
        assert chain.below == ("digits/digits-1",), edited
        overwrite(store, key, whole)
    assert states(chain_of(store, kept)) == {}


def test_a_record_edited_with_its_key_is_found_by_its_neighbours(store, kept):
    """Who also recomputes the key is contradicted by the run, the graph and the cache."""

    def consistent(record):
        definition(record)["parameters"]["epochs"] = 2
        key = digest("step", definition(record))
        record["predicate"]["slimline_execution"]["key"] = key

    edit(store, kept.record.steps["train"]["record"], consistent)
    (train,) = [link for link in chain_of(store, kept).links if link.state != "proved"]
    said = " ".join(fault.what for fault in train.faults)
    assert "of another step key than the run" in said
    assert "other parameters than the graph" in said


def test_a_missing_record_is_found(store, kept):
    remove(store, kept.record.steps["train"]["record"])
    assert states(chain_of(store, kept)) == {"step train": "missing"}


def test_an_entry_of_the_cache_that_contradicts_its_record_is_found(store, kept):
    key = result_key(kept.record.steps["train"]["key"])
    edit(store, key, lambda entry: entry["outputs"].update(model="0" * 64))
    assert states(chain_of(store, kept)) == {"step train": "damaged"}


def test_what_a_digest_names_is_hashed_again(store, kept):
    made = json.loads(store.get(kept.record.steps["train"]["record"]))
    keys = [
        graph_key(kept.record.graph_digest),
        config_key(kept.record.config_digest),
        code_key(definition(made)["code"]),
        environment_key(definition(made)["environment"]),
        source_key(kept.record.sources["data"]),
        tree_key(kept.record.steps["train"]["outputs"]["model"]),
    ]
    for key in keys:
        whole = store.get(key)
        overwrite(store, key, b'{"entries": [], "pages": []}')
        assert broken_at(store, kept) == {(key, "damaged")}
        remove(store, key)
        assert broken_at(store, kept) == {(key, "missing")}
        store.put_if_absent(key, whole)
    assert states(chain_of(store, kept)) == {}


def broken_at(store, kept):
    chain = chain_of(store, kept)
    assert chain.first_broken
    assert chain.below == ("digits/digits-1",)
    faults = [fault for link in chain.links for fault in link.faults if fault.breaks]
    return {(fault.place, fault.state) for fault in faults}


def test_a_page_of_the_source_is_hashed_again(store, kept):
    (page,) = json.loads(store.get(source_key(kept.record.sources["data"])))["pages"]
    rows = json.loads(store.get(blob_key(page)))
    rows[0][2] = "0" * 64
    overwrite(store, blob_key(page), canonical_json(rows))
    assert states(chain_of(store, kept))["source data"] == "damaged"
    remove(store, blob_key(page))
    assert states(chain_of(store, kept))["source data"] == "missing"


def test_a_run_record_that_names_another_output_is_found(store, kept):
    def swap(record):
        record["steps"]["train"]["outputs"]["model"] = record["steps"]["ingest"]["outputs"][
            "sealed"
        ]

    edit(store, run_key(kept.run), swap)
    assert states(chain_of(store, kept)) == {
        "step convert-teacher": "damaged", "step train": "damaged",
    }  # fmt: skip


def test_a_note_of_another_release_is_found(store, kept):
    edit(store, release_key("digits", kept.run), lambda note: note.update(run="other"))
    assert states(chain_of(store, kept)) == {"release digits": "damaged"}


def test_a_manifest_that_contradicts_the_source_is_found(store, writer, kept, data, tmp_path):
    """The manifest is a file like others: here a run was made with a false one from the start."""
    from tests.data import kept_release

    whole = kept_release.contents

    def false(step, taken, model):
        made = whole(step, taken, model)
        if step.component == "ingest":
            lines = made["dataset"]["manifest.jsonl"].splitlines(keepends=True)
            first = json.loads(lines[0]) | {"sha256": "0" * 64}
            made["dataset"]["manifest.jsonl"] = b"".join(
                [canonical_json(first) + b"\n", *lines[1 : 3 if model == "few" else None]]
            )
            if model == "few":
                made["dataset"]["manifest.jsonl"] = b"".join(lines[:3])
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_release, "contents", false)
        other, few = writer.run("digits-2", data, model="false"), writer.run("digits-3", data, model="few")  # fmt: skip
    chain = chain_of(store, other)
    assert states(chain) == {"manifest": "damaged"}
    assert "other bytes for 'one/0.png'" in chain.first_broken.faults[0].what
    chain = chain_of(store, few)
    assert "says nothing of 'one/3.png', 'two/0.png', 'two/1.png' and 2 more" in (
        chain.first_broken.faults[0].what
    )
    assert states(chain_of(store, kept)) == {}


# the user's files -------------------------------------------------------------------------------


def test_files_that_changed_moved_or_are_gone_are_named(store, kept, data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "copy")
    (data / "one" / "0.png").write_bytes(b"others")
    (data / "one" / "1.png").rename(data / "two" / "moved.png")
    (data / "two" / "3.png").unlink()
    chain = chain_of(store, kept)
    assert states(chain) == {"files of data": "changed"}
    assert {(f.place, f.state) for f in chain.first_broken.faults} == {
        (f"{data}/one/0.png", "changed"), (f"{data}/one/1.png", "changed"),
        (f"{data}/two/3.png", "missing"),
    }  # fmt: skip
    assert "lies at two/moved.png now" in chain.first_broken.faults[1].what
    assert chain.below == ("digits/digits-1",)
    assert states(chain_of(store, kept, places={"data": str(copy)})) == {}


def test_a_folder_that_is_gone_is_missing_and_another_place_will_do(store, kept, data, tmp_path):
    data.rename(tmp_path / "elsewhere")
    chain = chain_of(store, kept)
    assert states(chain) == {"files of data": "missing"}
    assert "--source data=PLACE says where they are" in chain.first_broken.faults[0].what
    assert states(chain_of(store, kept, places={"data": str(tmp_path / "elsewhere")})) == {}


def test_files_that_were_added_since_break_nothing(store, kept, data):
    (data / "two" / "9.png").write_bytes(b"new")
    chain = chain_of(store, kept)
    assert states(chain) == {}
    assert chain.links[-1].said.endswith("1 of them were added since")


def test_a_file_with_other_bytes_and_the_same_size_and_time_is_found(store, kept, data):
    """What this machine remembers of files by size and time is not asked."""
    import os

    path = data / "one" / "2.png"
    before = path.stat()
    path.write_bytes(b"one X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert states(chain_of(store, kept)) == {"files of data": "changed"}


# releases below ---------------------------------------------------------------------------------


def test_releases_below_a_break_are_those_that_stand_on_it(store, writer, kept, data, tmp_path):
    second = writer.run("digits-2", data, model="second")
    other = tmp_path / "other"
    shutil.copytree(data, other)
    (other / "one" / "0.png").write_bytes(b"other data")
    writer.run("digits-3", other, model="third")
    key = entry(store, kept, "ingest", "dataset", "images.npy")
    dataset = tree_key(kept.record.steps["ingest"]["outputs"]["dataset"])
    listed = store.get(dataset)
    remove(store, dataset)
    assert chain_of(store, kept).below == ("digits/digits-2", "digits/digits-1")
    store.put_if_absent(dataset, listed)
    remove(store, key)
    assert chain_of(store, second).below == (
        ("digits/digits-3", "digits/digits-2", "digits/digits-1")
    )


def test_nothing_is_written(store, kept):
    before = {key: store.stat(key) for key in store.list("")}
    remove_me = entry(store, kept, "train", "model", "model.json")
    chain_of(store, kept, deep=True)
    assert {key: store.stat(key) for key in store.list("")} == before
    overwrite(store, remove_me, b"damaged")
    before = {key: store.stat(key) for key in store.list("")}
    assert chain_of(store, kept, deep=True).first_broken
    assert {key: store.stat(key) for key in store.list("")} == before


# earlier versions -------------------------------------------------------------------------------


def test_a_run_of_an_earlier_version_is_unproved_and_not_broken(store, kept):
    plain = asdict(replace(kept.record, places={}))
    overwrite(store, run_key(kept.run), canonical_json(plain))
    for key in (
        source_key(kept.record.sources["data"]), graph_key(kept.record.graph_digest),
        config_key(kept.record.config_digest),
    ):  # fmt: skip
        remove(store, key)
    for step in kept.record.steps.values():
        edit(store, step["record"], as_version_1)
    for key in [*store.list("code/"), *store.list("environments/")]:
        remove(store, key)
    chain = chain_of(store, kept)
    assert chain.first_broken is None
    assert set(states(chain).values()) == {"unproved"}
    assert len(chain.links) == 10
    edit(store, kept.record.steps["train"]["record"], lambda r: definition(r).update(code="0" * 64))
    assert chain_of(store, kept).first_broken.name == "step train"


def as_version_1(record):
    """Turn a record into the form of the first version."""
    execution = record["predicate"].pop("slimline_execution")
    record.update({name: execution[name] for name in ("key", "image", "wall_s")})
    record["predicate"]["buildDefinition"]["buildType"] = "urn:slimline:step:1"
    record["predicate"]["runDetails"]["builder"]["id"] = "slimline/local"
    record["subject"] = [
        {"name": item["name"], "digest": {"sha256": item["digest"]["slimlineTree"]}}
        for item in record["subject"]
        if "slimlineTree" in item["digest"]
    ]


def test_names_of_runs_and_files_stay_what_a_person_wrote(store, kept, tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(kept.model)
    for named, said in (
        (RunNamed(kept.run), kept.run),
        (FileNamed(file, resolve(store, None, str(file)).sha256), str(file)),
    ):
        assert verify_chain(store, named, Extent()).subject == said
