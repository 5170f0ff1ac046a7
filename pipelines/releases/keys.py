"""Keys that sign releases: P-256 keys in PEM files, private ones and public ones."""

from __future__ import annotations

import importlib.util
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from components.contract.extras import not_installed
from pipelines.disk.files import disk_faults

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

_NEEDED = {"model_signing": "model-signing", "OpenSSL": "pyopenssl"}
"""Packages of the extra by module; model-signing needs pyOpenSSL where keys are used, and does not
say so."""

MAKE = "openssl ecparam -name prime256v1 -genkey -noout -out sign.pem"
_PUBLIC = "openssl ec -in sign.pem -pubout -out sign.pub.pem"
_LARGEST = 1 << 16


def check_extra() -> None:
    """Refuse to sign or to verify without the packages for it.

    Raises:
        UserError: One of them is not installed.
    """
    for module, package in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise not_installed("signing", package, "sign")


def read_private_key(path: Path) -> EllipticCurvePrivateKey:
    """Read a private key.

    Raises:
        UserError: It cannot be read, or is no P-256 key without a password.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise UserError(
            f"the key {path} has a password, and nobody is asked for one",
            f"openssl ec -in {path} -out unlocked.pem, readable by you alone (chmod 600)",
        ) from None
    except (ValueError, ArithmeticError):
        raise UserError(f"{path} holds no private key in PEM form", MAKE) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise UserError(f"{path} holds a private key of another kind than P-256", MAKE)
    return key


def read_public_key(path: Path) -> EllipticCurvePublicKey:
    """Read a public key, or the public part of a private one.

    Raises:
        UserError: It cannot be read, or is no P-256 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path)
    if b"PRIVATE KEY" in data:
        return read_private_key(path).public_key()
    try:
        key = load_pem_public_key(data)
    except (ValueError, ArithmeticError):
        raise UserError(f"{path} holds no public key in PEM form", _PUBLIC) from None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise UserError(f"{path} holds a public key of another kind than P-256", _PUBLIC)
    return key


def public_pem(key: EllipticCurvePublicKey) -> bytes:
    """Return a public key as a PEM file holds it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """Return the sha256 of a public key's PEM form, by which signatures name it."""
    return sha256(public_pem(key)).hexdigest()


def _read(path: Path) -> bytes:
    """Return the bytes of a file that may be a key.

    Raises:
        UserError: It is none, or cannot be read.
    """
    with disk_faults(path):
        if not path.is_file():
            raise UserError(f"there is no key {path}", MAKE)
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path} is too long for a key", MAKE)
        return path.read_bytes()
