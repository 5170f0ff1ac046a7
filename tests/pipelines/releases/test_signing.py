"""Signatures: what they vouch for, and that they alone tell what is consistent and yet not true."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.config.releases import ReleasesSection
from pipelines.releases import gate, keys
from pipelines.releases.promoting import promote, roll_back
from pipelines.releases.published import PublishedRelease
from pipelines.releases.signing import SignatureFound, Signer, verify_signature
from pipelines.runs.cache import Cache
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.releases.release_log_entries import parse_entry
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import (
    blob_key,
    champion_key,
    release_log_key,
    run_key,
    signature_key,
    tree_key,
)
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.challengers import NAME, Run, write_run
from tests.data.releases import rewrite
from tests.data.trees import put_tree
from tests.pipelines.stores.damage import remove

RUN = "faces-20260101-000000-aaaa"


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private P-256 key and, beside it, the public one."""
    folder = tmp_path_factory.mktemp("keys")
    path = folder / "sign.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    openssl("ec", "-in", path, "-pubout", "-out", folder / "sign.pub.pem")
    return path


@pytest.fixture
def cache(store_uri: Callable[[str], str], tmp_path: Path) -> Cache:
    return Cache(open_store(store_uri("signed")), tmp_path / "work")


@pytest.fixture
def release(cache: Cache) -> PublishedRelease:
    return write_run(cache, Run(RUN))


@pytest.fixture
def signed(cache: Cache, release: PublishedRelease, key: Path) -> Store:
    promote(
        cache, release, ReleasesSection(), actor="ann@desk", signer=Signer(key),
        judge=partial(gate.judge, cache),
    )  # fmt: skip
    return cache.store


def found(store: Store, key: Path, seq: int | None = None) -> SignatureFound:
    return verify_signature(store, read_log(store, NAME), seq, key.with_name("sign.pub.pem"))


def test_what_was_signed_is_found_to_be(signed: Store, key: Path) -> None:
    told = found(signed, key)
    assert (told.state, told.bad) == ("signed", None), told
    assert "entry 1, its release and 2 records are as signed" in told.what
    assert told.key == Signer(key).fingerprint
    private = verify_signature(signed, read_log(signed, NAME), 1, key)
    assert private == told  # it holds the public one
    champion = champion_of(signed, NAME)
    assert champion
    assert champion["signature"]["key"] == signature_key(NAME, 1)
    data = signed.get(signature_key(NAME, 1))
    assert champion["signature"]["sha256"] == sha256(data).hexdigest()
    assert verify_store(signed)[1] == []


def test_whose_it_is_has_to_be_said(signed: Store, key: Path) -> None:
    told = verify_signature(signed, read_log(signed, NAME))
    assert (told.state, told.key) == ("unknown key", Signer(key).fingerprint)
    assert "--key PUBLIC.pem" in told.what


def test_another_key(signed: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other)
    told = verify_signature(signed, read_log(signed, NAME), key=other)
    assert told.state == "wrong"
    assert "not with" in told.what


def test_no_signature(cache: Cache, release: PublishedRelease, key: Path) -> None:
    assert verify_signature(cache.store, read_log(cache.store, NAME), key=key).state == "unsigned"
    given = ReleasesSection()

    judged = partial(gate.judge, cache)
    promote(cache, release, given, actor="ann", judge=judged)
    assert found(cache.store, key).state == "unsigned"
    assert (champion_of(cache.store, NAME) or {})["signature"] is None
    # To promote it again changes nothing but signs.
    again = promote(cache, release, given, actor="ann", judge=judged, signer=Signer(key))
    assert (again.outcome, again.signed_by) == ("unchanged", Signer(key).fingerprint)
    assert found(cache.store, key).state == "signed"
    assert (champion_of(cache.store, NAME) or {})["signature"]


def test_a_rollback_is_signed_too(cache: Cache, signed: Store, key: Path) -> None:
    other = write_run(cache, Run("faces-b", noise=0.1, sealed=range(2000, 2300)))
    promote(
        cache, other, ReleasesSection(), actor="ann", force="try", signer=Signer(key),
        judge=partial(gate.judge, cache),
    )  # fmt: skip
    roll_back(cache, NAME, ReleasesSection(), actor="ann", reason="worse", signer=Signer(key))
    assert [found(signed, key, seq).state for seq in (1, 2, 3)] == ["signed"] * 3
    assert found(signed, key, 4).state == "unsigned"


# tampering --------------------------------------------------------------------------------------


def step_record(store: Store) -> None:
    """Somebody else trained it, says the record; nothing else refers to its bytes."""
    place = f"runs/{RUN}/steps/evaluate-sealed.json"
    rewrite(store, place, store.get(place).replace(b"local", b"other"))


def run_record(store: Store) -> None:
    data = store.get(run_key(RUN))
    assert b"bob@desk" in data
    rewrite(store, run_key(RUN), data.replace(b"bob@desk", b"eve@desk"))


def log_entry(store: Store) -> None:
    """The only entry, edited together with what refers to it: the chain is whole."""
    place = release_log_key(NAME, 1)
    entry = replace(parse_entry(store.get(place)), actor="eve@desk")
    rewrite(store, place, entry.to_bytes())
    remove(store, champion_key(NAME))
    assert champion_of(store, NAME)


def whole_release(store: Store) -> None:
    """Another model under all of the names: blobs, tree, note, run, log and champion agree."""
    log = read_log(store, NAME)
    assert log.champion
    old = log.champion.release
    entries = json.loads(store.get(tree_key(old)))["entries"]
    files = {path: store.get(blob_key(digest)) for path, _, digest in entries}
    model = b"a model with a back door"
    manifest = json.loads(files["manifest.json"])
    manifest |= {"sha256": sha256(model).hexdigest(), "size_bytes": len(model)}
    files |= {"model.tflite": model, "manifest.json": json.dumps(manifest).encode()}
    new = put_tree(store, files).digest
    for place in (run_key(RUN), f"releases/{NAME}/{RUN}.json", release_log_key(NAME, 1)):
        rewrite(store, place, store.get(place).replace(old.encode(), new.encode()))
    remove(store, champion_key(NAME))
    champion = champion_of(store, NAME)
    assert champion
    assert champion["release"] == new


@pytest.mark.parametrize(
    ("tamper", "bad"),
    [
        (step_record, f"runs/{RUN}/steps/evaluate-sealed.json"),
        (run_record, run_key(RUN)),
        (log_entry, release_log_key(NAME, 1)),
        (whole_release, release_log_key(NAME, 1)),
    ],
)
def test_what_only_the_signature_tells(
    signed: Store, key: Path, tamper: Callable[[Store], None], bad: str
) -> None:
    tamper(signed)
    # Whatever can be told from the store alone says that all is well.
    assert verify_store(signed)[1] == []
    log = read_log(signed, NAME)
    assert (log.faults, len(log.entries)) == ((), 1)
    told = found(signed, key)
    assert (told.state, told.bad) == ("wrong", bad), told


def test_a_model_that_was_exchanged(signed: Store, key: Path, release: PublishedRelease) -> None:
    place = blob_key(release.models[0].sha256)
    rewrite(signed, place, b"x" * len(signed.get(place)))
    told = found(signed, key)
    assert (told.state, told.bad) == ("wrong", place)
    remove(signed, place)
    assert found(signed, key).bad == place


SIGNATURES: dict[str, Callable[[dict[str, object]], object]] = {
    "no JSON": lambda _: b"{",
    "a list": lambda _: [],
    "no keys": lambda _: {},
    "no bundle": lambda value: {**value, "bundle": {}},
    "a provenance of one's own": lambda value: {
        **value,
        "provenance": str(value["provenance"]).replace('"schema":1', '"schema": 1'),
    },
}


@pytest.mark.parametrize("how", SIGNATURES)
def test_signatures_that_are_none(signed: Store, key: Path, how: str) -> None:
    place = signature_key(NAME, 1)
    made = SIGNATURES[how](json.loads(signed.get(place)))
    rewrite(signed, place, made if isinstance(made, bytes) else json.dumps(made).encode())
    told = found(signed, key)
    assert (told.state, told.bad) == ("wrong", place), told


# keys -------------------------------------------------------------------------------------------


def test_keys_that_cannot_sign(tmp_path: Path, key: Path) -> None:
    bad = tmp_path / "key.pem"
    with pytest.raises(UserError, match="there is no key") as caught:
        Signer(bad)
    assert caught.value.fix == keys.MAKE
    for make, what in (
        (lambda: bad.write_text("hello"), "no private key in PEM form"),
        (lambda: openssl("genpkey", "-algorithm", "ed25519", "-out", bad), "another kind than P-256"),
        (lambda: openssl("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", bad), "P-256"),
        (lambda: bad.write_bytes(key.with_name("sign.pub.pem").read_bytes()), "no private key"),
        (lambda: openssl("ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", bad), "password"),
        (lambda: bad.write_bytes(b"x" * 100_000), "too long for a key"),
    ):  # fmt: skip
        make()
        with pytest.raises(UserError, match=what) as caught:
            Signer(bad)
        assert "openssl" in caught.value.fix
    subprocess.run(keys.MAKE.split(), check=True, cwd=tmp_path, capture_output=True)  # the fix
    assert Signer(tmp_path / "sign.pem").fingerprint
    bad.write_text("hello")
    with pytest.raises(UserError, match="no public key in PEM form"):
        keys.read_public_key(bad)


def test_a_wrong_key_stops_before_anything_is_written(
    cache: Cache, release: PublishedRelease, tmp_path: Path
) -> None:
    before = list(cache.store.list("releases/"))
    with pytest.raises(UserError):
        Signer(tmp_path / "none.pem")
    assert list(cache.store.list("releases/")) == before
