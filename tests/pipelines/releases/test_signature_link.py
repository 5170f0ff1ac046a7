"""Who signed a release, in its chain: also what only a signature finds, in a store and a bundle."""

import json
import subprocess

import pytest

from components.contract.digests import canonical_json, digest
from pipelines.lineage.bundles.reading import verify_bundle
from pipelines.lineage.bundles.writing import bundle_of
from pipelines.lineage.naming import ReleaseNamed
from pipelines.lineage.proof.chain import Extent
from pipelines.lineage.proof.verifying import verify_chain
from pipelines.releases.signature_link import signature_link
from pipelines.releases.signing import Signer
from pipelines.runs.cache import Cache
from pipelines.stores.layout import result_key, run_key
from tests.data.kept_release import Writer, write_data
from tests.pipelines.lineage.conftest import promote
from tests.pipelines.stores.damage import overwrite


def pair(folder, name):
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]
    subprocess.run([*make, str(private)], check=True, capture_output=True)
    command = ["openssl", "ec", "-in", str(private), "-pubout", "-out", str(public)]
    subprocess.run(command, check=True, capture_output=True)
    return private, public


@pytest.fixture
def kept(cache, tmp_path):
    return Writer(cache, tmp_path / "written").run("digits-1", write_data(tmp_path / "photos"))


@pytest.fixture
def signed(cache, kept, tmp_path):
    private, public = pair(tmp_path, "ann")
    log = promote(cache.store, kept)
    Signer(private).sign(Cache(cache.store, tmp_path / "scratch"), log)
    return public


def link_of(cache, kept, key=None):
    return signature_link(cache.store, "digits", kept.release, key)


def test_a_signature_is_proved_by_the_right_key_alone(cache, kept, signed, tmp_path):
    assert link_of(cache, kept, signed).state == "proved"
    assert link_of(cache, kept).state == "unproved"
    _, other = pair(tmp_path, "eve")
    assert link_of(cache, kept, other).state == "damaged"


def test_who_asks_for_a_signature_misses_it_where_there_is_none(cache, kept, tmp_path):
    _, public = pair(tmp_path, "ann")
    assert link_of(cache, kept) is None
    assert link_of(cache, kept, public).state == "missing"
    promote(cache.store, kept)
    assert link_of(cache, kept) is None
    assert link_of(cache, kept, public).state == "missing"


def test_only_the_signature_finds_a_record_that_was_changed_consistently(cache, kept, signed):
    """Key, run, graph, cache and manifest fit the false parameters; the signed bytes do not."""
    store = cache.store
    change_all(store, kept)
    chain = verify_chain(store, ReleaseNamed("digits", kept.run, kept.release), Extent())
    assert chain.first_broken is None
    link = link_of(cache, kept, signed)
    assert link.state == "damaged"
    assert link.faults[0].place in {
        run_key(kept.run), kept.record.steps["publish"]["record"],
    }  # fmt: skip


def change_all(store, kept):
    """Have publish say another budget, everywhere."""
    step = kept.record.steps["publish"]
    record = json.loads(store.get(step["record"]))
    made_of = record["predicate"]["buildDefinition"]["internalParameters"]
    made_of["parameters"]["drop"] = 0.9
    record["predicate"]["buildDefinition"]["externalParameters"]["drop"] = 0.9
    key = digest("step", made_of)
    record["predicate"]["slimline_execution"]["key"] = key
    overwrite(store, step["record"], canonical_json(record))
    result = json.loads(store.get(result_key(step["key"]))) | {"key": key}
    store.put_if_absent(result_key(key), canonical_json(result))
    run = json.loads(store.get(run_key(kept.run)))
    run["steps"]["publish"]["key"] = key
    graph = json.loads(store.get(f"graphs/{run['graph_digest']}.json"))
    next(one for one in graph if one["name"] == "publish")["parameters"]["drop"] = 0.9
    run["graph_digest"] = digest("graph", graph)
    store.put_if_absent(f"graphs/{run['graph_digest']}.json", canonical_json(graph))
    overwrite(store, run_key(kept.run), canonical_json(run))


def test_a_bundle_carries_the_signature(cache, kept, signed, tmp_path):
    path = tmp_path / "digits.zip"
    path.write_bytes(bundle_of(cache.store, kept.record, kept.release))
    chain, store = verify_bundle(path, Extent())
    assert chain.first_broken is None
    assert signature_link(store, "digits", kept.release, signed).state == "proved"
    change_all(cache.store, kept)
    path.write_bytes(bundle_of(cache.store, kept.record, kept.release))
    chain, store = verify_bundle(path, Extent())
    assert chain.first_broken is None
    assert signature_link(store, "digits", kept.release, signed).state == "damaged"
