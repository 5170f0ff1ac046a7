"""Signing an entry of the log with its release, and telling whether a signature holds.

The format is that of the OpenSSF Model Signing specification, so that anybody can verify it without
slimline: https://github.com/sigstore/model-transparency. What is signed is a folder: the files of
the release, and ``provenance.json``.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from components.contract.digests import canonical_json
from components.contract.tree import Tree
from pipelines.releases import keys
from pipelines.releases.provenance import (
    FILE,
    Provenance,
    held,
    parse_provenance,
    provenance_of,
)
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog
from pipelines.stores.bucket_uri import scheme_of
from pipelines.stores.layout import blob_key, release_log_key, signature_key, tree_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store


@dataclass(frozen=True)
class SignatureFound:
    """What a signature says.

    Attributes:
        state: ``signed``; ``unsigned``; ``unknown key`` (signed, and nobody said by whom it should
            be); ``wrong``.
        key: Fingerprint of the key that it names; empty where it names none.
        what: A sentence.
        bad: Store key of what is not as it was signed, or None.
    """

    state: Literal["signed", "unsigned", "unknown key", "wrong"]
    key: str
    what: str
    bad: str | None = None


class Signer:
    """Signs with a private key; made before anything is written, so that a wrong key stops it.

    Args:
        path: Of the private key.

    Raises:
        UserError: The key cannot be used, or the packages are missing.
    """

    def __init__(self, path: Path) -> None:
        keys.check_extra()
        self._path = path
        self.fingerprint = keys.fingerprint(keys.read_private_key(path).public_key())

    def sign(self, cache: Cache, log: ReleaseLog) -> str:
        """Sign the last entry of a log; a signature that is there stays.

        Returns:
            Fingerprint of the key whose signature is there now.
        """
        store = cache.store
        assert log.champion, "there is an entry to sign"
        key = signature_key(log.name, log.champion.seq)
        if store.stat(key) is None:
            provenance = provenance_of(store, log, log.champion.seq)
            with tempfile.TemporaryDirectory(prefix="slimline-sign-") as temporary:
                bundle = self._signed(cache, log.champion.release, provenance, Path(temporary))
            value = {
                "schema": 1,
                "key": self.fingerprint,
                "provenance": provenance.to_text(),
                "bundle": bundle,
            }
            store.put_if_absent(key, canonical_json(value))
        return _parsed(store.get(key)).key

    def _signed(self, cache: Cache, release: str, provenance: Provenance, folder: Path) -> object:
        """Return the signature of the files of a release and a provenance beside them."""
        from model_signing.signing import Config

        whole = folder / "release"
        for entry in cache.tree(release).entries:
            path = whole / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cache.read_file(release, entry.path))
        (whole / FILE).write_text(provenance.to_text())
        config: Any = Config()  # what it annotates is more than a type checker can read
        config.use_elliptic_key_signer(private_key=self._path).sign(whole, folder / "bundle")
        return json.loads((folder / "bundle").read_bytes())


def verify_signature(
    store: Store, log: ReleaseLog, seq: int | None = None, key: Path | None = None
) -> SignatureFound:
    """Tell whether an entry of a log, its release and its records are what somebody signed.

    Args:
        store: Where.
        log: Of the releases.
        seq: Number of the entry; None is the last one, that of the champion.
        key: The public key of who should have signed, or the private one. Without it nothing is
            said of what the signature is worth: whoever can write the store can sign with any key.

    Raises:
        UserError: The key cannot be used, or the packages are missing.
    """
    if seq is None:
        seq = log.champion.seq if log.champion else 1
    place = signature_key(log.name, seq)
    data = held(store, place)
    if data is None:
        return SignatureFound(
            "unsigned", "", f"entry {seq} of the log of {log.name} has no signature"
        )
    try:
        found = _parsed(data)
    except (ValueError, LookupError, TypeError, RecursionError):
        return SignatureFound("wrong", "", f"{place} holds no signature", place)
    if key is None:
        return SignatureFound(
            "unknown key",
            found.key,
            f"entry {seq} is signed with the key {found.key[:16]}; --key PUBLIC.pem tells whether "
            "that is the right one",
        )
    keys.check_extra()
    return _verify(store, log, seq, found, key)


@dataclass(frozen=True)
class _Signature:
    key: str
    text: str
    provenance: Provenance
    bundle: Any


def _parsed(data: bytes) -> _Signature:
    """Read a signature as ``sign`` writes it.

    Raises:
        ValueError: It is something else; so do LookupError and TypeError say.
    """
    value = json.loads(data)
    text = value["provenance"]
    return _Signature(str(value["key"]), text, parse_provenance(text), value["bundle"])


def _verify(
    store: Store, log: ReleaseLog, seq: int, found: _Signature, key: Path
) -> SignatureFound:
    public = keys.read_public_key(key)
    place = signature_key(log.name, seq)
    expected = keys.fingerprint(public)
    if found.key != expected:
        what = f"entry {seq} is signed with the key {found.key[:16]}, not with {expected[:16]}"
        return SignatureFound("wrong", found.key, what, place)
    if seq > len(log.entries):
        what = log.faults[0] if log.faults else f"the log of {log.name} has no entry {seq}"
        return SignatureFound("wrong", found.key, what, release_log_key(log.name, seq))
    entry = log.entries[seq - 1]
    if bad := _differing(store, log, entry, found.provenance):
        what = f"{bad} is not what was signed with entry {seq}"
        return SignatureFound("wrong", found.key, what, bad)
    with tempfile.TemporaryDirectory(prefix="slimline-verify-") as temporary:
        folder = Path(temporary, "release")
        folder.mkdir()
        # What this machine has in its cache says nothing of what the bucket holds.
        direct = open_store(store.uri, direct=True) if scheme_of(store.uri) else store
        if bad := _write_release(direct, entry, folder):
            what = f"{bad} of the release of entry {seq} is missing or damaged"
            return SignatureFound("wrong", found.key, what, bad)
        (folder / FILE).write_text(found.text)
        if why := _refused(folder, found.bundle, keys.public_pem(public)):
            what = f"the signature of entry {seq} does not hold: {why}"
            return SignatureFound("wrong", found.key, what, place)
    what = f"entry {seq}, its release and {len(found.provenance.records)} records are as signed"
    return SignatureFound("signed", found.key, what)


def _differing(store: Store, log: ReleaseLog, entry: LogEntry, signed: Provenance) -> str | None:
    """Return the store key of the first thing that is not as it was signed, or None."""
    said = (signed.name, signed.seq, signed.entry, signed.release, signed.run)
    is_ = (log.name, entry.seq, log.digests[entry.seq - 1], entry.release, entry.run)
    if said != is_:
        return release_log_key(log.name, entry.seq)
    for record, digest in signed.records.items():
        data = held(store, record)
        if data is None or sha256(data).hexdigest() != digest:
            return record
    return None


def _write_release(store: Store, entry: LogEntry, folder: Path) -> str | None:
    """Write the files of a release; return the store key of what is not as its digest says."""
    place = tree_key(entry.release)
    try:
        tree = Tree.from_json(json.loads(held(store, place) or b""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return place
    if tree.digest != entry.release:
        return place
    for item in tree.entries:
        data = held(store, blob_key(item.sha256))
        if data is None or sha256(data).hexdigest() != item.sha256:
            return blob_key(item.sha256)
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return None


def _refused(folder: Path, bundle: object, pem: bytes) -> str | None:
    """Say why the signature of a folder does not hold, or None."""
    from cryptography.exceptions import InvalidSignature
    from model_signing.verifying import Config

    signature, public = folder.with_name("bundle"), folder.with_name("public.pem")
    signature.write_text(json.dumps(bundle))
    public.write_bytes(pem)
    config: Any = Config()
    try:
        config.use_elliptic_key_verifier(public_key=public).verify(folder, signature)
    except InvalidSignature:
        return "it was not made with this key"
    # Bytes from outside: the library answers whatever is wrong with them with these.
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return None


def signer_of(key: str | Path | None) -> Signer | None:
    """Return what signs with a key, or None where there is none.

    Raises:
        UserError: See ``Signer``.
    """
    return Signer(Path(key)) if key else None
