"""Bundles: written from both stores with equal bytes, and verified with no store at hand."""

import json
import shutil

import pytest

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.tree import SINGLE
from pipelines.lineage.bundles import reading
from pipelines.lineage.bundles.archive import read_archive, write_archive
from pipelines.lineage.bundles.reading import is_bundle
from pipelines.lineage.bundles.writing import bundle_of
from pipelines.lineage.proof.chain import Extent
from pipelines.runs.removal.tombstones import put_tombstone
from tests.pipelines.lineage.proof.test_chain import entry, states, stone_of
from tests.pipelines.stores.damage import overwrite, remove

LAST = "files of data"


def verify_bundle(path, extent):
    return reading.verify_bundle(path, extent)[0]


@pytest.fixture
def bundle(store, kept, tmp_path):
    path = tmp_path / "digits.zip"
    path.write_bytes(bundle_of(store, kept.record, kept.release))
    if not store.uri.startswith("gs://"):
        shutil.rmtree(store.uri)
    return path


def rewritten(path, change):
    files = read_archive(path.read_bytes())
    change(files)
    path.write_bytes(write_archive(files))
    return verify_bundle(path, Extent())


def test_a_bundle_is_proved_without_its_store(bundle, kept, data, tmp_path):
    chain = verify_bundle(bundle, Extent())
    assert states(chain) == {LAST: "unproved"}
    assert [link.name for link in chain.links][:3] == [
        "bundle digits.zip", "release digits", "run digits-1",
    ]  # fmt: skip
    assert "64 bytes of its files are not in the bundle" not in chain.links[1].said
    (ingest,) = [link for link in chain.links if link.name == "step ingest"]
    assert "bytes of its files are not in the bundle" in ingest.said
    assert states(verify_bundle(bundle, Extent(places={"data": str(data)}))) == {}
    (data / "one" / "0.png").write_bytes(b"other")
    found = verify_bundle(bundle, Extent(places={"data": str(data)}))
    assert states(found) == {LAST: "changed"}


def test_a_bundle_holds_what_it_promises(bundle, kept):
    files = read_archive(bundle.read_bytes())
    for name in ("model.tflite", "manifest.json", "card.md", "card.html"):
        assert f"release/{name}" in files
    assert files["release/model.tflite"] == kept.model
    assert files["report.html"] == b"<p>report"
    listed = json.loads(files["bundle.json"])
    assert listed["files"].keys() == files.keys() - {"bundle.json"}
    assert listed["proof"][0]["link"] == "release digits"
    assert listed["proof"][-1]["digest"] == kept.record.sources["data"]
    kinds = {name.split("/")[1] for name in files if name.startswith("store/")}
    assert kinds >= {"runs", "trees", "graphs", "configs", "sources", "code", "environments", "cas"}
    assert "ac" not in kinds
    assert not [name for name in files if files[name] == b"weights of model"]


def test_equal_releases_give_equal_bytes_in_every_store(store, kept, tmp_path):
    one = bundle_of(store, kept.record, kept.release)
    assert bundle_of(store, kept.record, kept.release) == one


def test_every_flipped_byte_is_found(bundle):
    data = bundle.read_bytes()
    step = max(1, len(data) // 200)
    for position in range(0, len(data), step):
        changed = bytearray(data)
        changed[position] ^= 1
        bundle.write_bytes(bytes(changed))
        assert verify_bundle(bundle, Extent()).first_broken, position
    bundle.write_bytes(data)
    assert verify_bundle(bundle, Extent()).first_broken is None


def test_who_repairs_the_archive_is_found_by_the_list(bundle):
    """One byte of each file in turn, in an archive that is in order otherwise."""
    whole = bundle.read_bytes()
    for name, data in read_archive(whole).items():
        flipped = bytes([data[0] ^ 1, *data[1:]]) if data else b"x"
        chain = rewritten(bundle, lambda files, name=name, data=flipped: files.update({name: data}))
        assert chain.first_broken, name
        bundle.write_bytes(whole)


def test_who_repairs_the_list_too_is_found_by_the_chain(bundle, kept):
    """Only who makes a whole new lineage is not: that is what a signature is for."""
    import hashlib

    def swap(files):
        files["release/model.tflite"] = b"other"
        listed = json.loads(files["bundle.json"])
        item = {"sha256": hashlib.sha256(b"other").hexdigest(), "size_bytes": 5}
        listed["files"]["release/model.tflite"] = item
        files["bundle.json"] = canonical_json(listed)

    chain = rewritten(bundle, swap)
    assert {link.name for link in chain.links if link.broken} >= {"release digits"}


def test_what_is_added_or_left_out_is_named(bundle):
    whole = bundle.read_bytes()
    chain = rewritten(bundle, lambda files: files.update({"store/trees/more.json": b"{}"}))
    assert "belongs to nothing in the bundle" in str(chain.first_broken.faults)
    bundle.write_bytes(whole)
    chain = rewritten(bundle, lambda files: files.pop("release/model.tflite"))
    assert states(chain)["release digits"] == "missing"
    bundle.write_bytes(whole)
    chain = rewritten(bundle, lambda files: files.pop("bundle.json"))
    assert "no bundle.json" in chain.first_broken.faults[0].what


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x03\x04" + b"\xff" * 100])
def test_what_is_no_bundle_is_a_negative_answer(tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert is_bundle(path)
    assert "is no bundle as slimline writes it" in (
        verify_bundle(path, Extent()).first_broken.faults[0].what
    )
    other = tmp_path / "model.tflite"
    other.write_bytes(content)
    assert is_bundle(other) == content.startswith(b"PK\x03\x04")


def test_a_chain_that_is_broken_is_not_exported(store, kept, tmp_path):
    key = entry(store, kept, "train", "model", "weights.safetensors")
    whole = store.get(key)
    remove(store, key)
    with pytest.raises(UserError, match="cannot be proved: step train"):
        bundle_of(store, kept.record, kept.release)
    put_tombstone(store, stone_of(key, "erased"))
    path = tmp_path / "erased.zip"
    path.write_bytes(bundle_of(store, kept.record, kept.release))
    assert states(verify_bundle(path, Extent())) == {LAST: "unproved", "step train": "erased"}
    store.put_if_absent(key, whole)
    overwrite(store, key, whole)
    assert bundle_of(store, kept.record, kept.release)


@pytest.mark.parametrize("why", ["erased", "collected"])
def test_a_report_that_was_removed_on_purpose_is_left_out(store, kept, tmp_path, why):
    key = entry(store, kept, "publish", "report", SINGLE)
    remove(store, key)
    with pytest.raises(UserError, match="cannot be proved"):
        bundle_of(store, kept.record, kept.release)
    put_tombstone(store, stone_of(key, why))
    path = tmp_path / "digits.zip"
    path.write_bytes(bundle_of(store, kept.record, kept.release))
    assert "report.html" not in read_archive(path.read_bytes())
    chain = verify_bundle(path, Extent())
    assert states(chain) == {LAST: "unproved", "step publish": why}
