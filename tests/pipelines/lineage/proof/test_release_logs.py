"""The log of releases in the chain: an entry edited, removed or inserted is named."""

import json

import pytest

from components.contract.digests import canonical_json
from pipelines.lineage.bundles.reading import verify_bundle
from pipelines.lineage.bundles.writing import bundle_of
from pipelines.lineage.naming import resolve
from pipelines.lineage.proof.chain import Extent
from pipelines.lineage.proof.verifying import verify_chain
from pipelines.stores.layout import release_log_key
from tests.pipelines.lineage.conftest import promote
from tests.pipelines.lineage.proof.test_chain import chain_of, states
from tests.pipelines.stores.damage import overwrite, remove


@pytest.fixture
def promoted(store, writer, kept, data):
    second = writer.run("digits-2", data, model="second")
    promote(store, kept)
    promote(store, second, reason="smaller")
    promote(store, kept, kind="rollback", reason="worse")
    return kept


def log_of(chain):
    return next(link for link in chain.links if link.name == "log of releases")


def test_the_champion_is_proved_with_its_log(store, promoted):
    chain = verify_chain(store, resolve(store, None, "digits@champion"), Extent())
    assert chain.run == promoted.run
    assert states(chain) == {}
    assert log_of(chain).said == (
        "3 entries, each with the hash of the one before; promoted by ann@desk on "
        "2026-11-26T20:00:00.000+00:00, rolled back to by ann@desk on "
        "2026-11-26T20:00:00.000+00:00"
    )


def test_without_a_log_there_is_no_such_link(store, kept):
    assert "log of releases" not in [link.name for link in chain_of(store, kept).links]


def edited(store):
    key = release_log_key("digits", 2)
    entry = json.loads(store.get(key)) | {"reason": "larger"}
    overwrite(store, key, canonical_json(entry))


def removed(store):
    remove(store, release_log_key("digits", 2))


def inserted(store):
    last = release_log_key("digits", 3)
    entry = json.loads(store.get(last))
    store.put_if_absent(release_log_key("digits", 4), store.get(last))
    overwrite(store, last, canonical_json(entry | {"actor": "eve"}))


def cut(store):
    remove(store, release_log_key("digits", 3))


@pytest.mark.parametrize("change", [edited, removed, inserted, cut])
def test_a_log_that_was_changed_breaks_the_chain_of_all_its_releases(store, promoted, change):
    change(store)
    chain = chain_of(store, promoted)
    assert states(chain) == {"log of releases": "damaged"}
    assert chain.first_broken == log_of(chain)
    assert "cannot be trusted: entry" in log_of(chain).faults[0].what
    assert chain.below == ("digits/digits-2", "digits/digits-1")


def test_a_bundle_holds_the_log_and_finds_a_change_in_it(store, promoted, tmp_path):
    path = tmp_path / "digits.zip"
    path.write_bytes(bundle_of(store, promoted.record, promoted.release))
    chain, held = verify_bundle(path, Extent())
    assert states(chain) == {"files of data": "unproved"}
    assert held.stat(release_log_key("digits", 3))
    assert log_of(chain).state == "proved"
