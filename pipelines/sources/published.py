"""Weights that ``keras.applications`` publishes: downloaded once, checked, kept on this machine.

A file is kept when it is whole and is what was published; until then it lies in a scratch folder.
Beside it ``sha256`` holds its digest, by which later damage is found.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import cast

import requests

from components.contract.digests import file_sha256
from components.contract.errors import UserError
from components.ml import imagenet
from components.ml.imagenet import Published
from pipelines.disk.cache_folder import cache_folder, cache_places
from pipelines.disk.files import disk_faults, make_folders
from pipelines.disk.folders import remove_tree
from pipelines.disk.scratch import scratch_folder

MIRROR = "KERAS_APPLICATIONS_URL"
"""Variable with an address to be used in place of ``.../tensorflow/keras-applications``."""

_ATTEMPTS = 3
_TIMEOUT_S = (10.0, 60.0)  # to connect; without a byte
_CHUNK_BYTES = 1 << 16  # of a chunk that breaks off nothing is kept
_DIGEST = "sha256"
_WEIGHTS = "weights"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def downloaded(file: str) -> Path:
    """Return the path of weights on this machine, after a download where they are not there yet.

    Raises:
        UserError: They cannot be had, or are not what was published.
    """
    given = imagenet.published(file)
    for place in cache_places():  # what lies in a home that cannot be written is read all the same
        folder = place / _WEIGHTS
        with disk_faults(folder):
            if _whole(given, folder / Path(given.file).stem):
                return folder / Path(given.file).stem / given.file
    return fetched(given, cache_folder() / _WEIGHTS)


def fetched(given: Published, folder: Path) -> Path:
    """Return a file below ``folder``, after a download where it is not there whole.

    Args:
        given: What is published.
        folder: Where such files are kept; need not exist.

    Raises:
        UserError: It cannot be had, or is not what was published.
    """
    kept = folder / Path(given.file).stem
    with disk_faults(folder):
        if _whole(given, kept):
            return kept / given.file
        make_folders(folder)
        name = f"{kept.name}-{secrets.token_hex(4)}"
        with scratch_folder(folder / "work", name) as scratch:
            new = scratch / kept.name
            new.mkdir()
            _download(given, new / given.file)
            (new / _DIGEST).write_text(file_sha256(new / given.file))
            if not _whole(given, kept):
                remove_tree(kept)
            try:
                new.rename(kept)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                # Another process was quicker; what it kept has passed the same checks.
    return kept / given.file


def _whole(given: Published, kept: Path) -> bool:
    """Whether a folder holds the file, as it was when it came and as it is published now."""
    file = kept / given.file
    try:
        same = (kept / _DIGEST).read_text() == file_sha256(file)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return same and given.md5 in ("", _md5(file))


def _download(given: Published, path: Path) -> None:
    """Write the file, going on where a download broke off, and check it.

    Raises:
        UserError: It cannot be had, or is not what was published.
    """
    address = _address(given)
    etag, said = "", ""
    for attempt in range(_ATTEMPTS):
        last = attempt == _ATTEMPTS - 1
        try:
            with _opened(address, path, etag) as response:
                etag = response.headers.get("ETag", "")
                said = response.headers.get("x-goog-hash", "")
                response.raise_for_status()
                _write(response, path)
            break
        except requests.HTTPError as error:
            status = cast("requests.Response", error.response).status_code
            if last or status < 500:
                raise _refused(given, f"{address} answers with status {status}") from error
        except requests.RequestException as error:
            if last:
                raise _refused(given, f"{address} cannot be read: {_reason(error)}") from error
        time.sleep(attempt)
    _check(given, path, address, said)


def _opened(address: str, path: Path, etag: str) -> requests.Response:
    """Ask for the file, or for the rest of what an attempt before has written."""
    headers = {"Accept-Encoding": "identity"}
    if etag and path.is_file():
        headers |= {"Range": f"bytes={path.stat().st_size}-", "If-Range": etag}
    return requests.get(address, headers=headers, stream=True, timeout=_TIMEOUT_S)


def _write(response: requests.Response, path: Path) -> None:
    """Write what arrives: behind what is there if that was asked for, else from the beginning."""
    rest = response.status_code == requests.codes.partial_content
    with path.open("ab" if rest else "wb") as file:
        for chunk in response.iter_content(_CHUNK_BYTES):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _check(given: Published, path: Path, address: str, said: str) -> None:
    """Compare what has arrived with the hash that is published, or with what the service says.

    Args:
        given: What is published.
        path: What has arrived.
        address: Where it comes from.
        said: Google's header ``x-goog-hash``; other services send none.

    Raises:
        UserError: They differ, or it is no HDF5 file.
    """
    found = _md5(path)
    if given.md5 and found != given.md5:
        raise _refused(
            given, f"what {address} sends has the md5 {found}, and {given.md5} is published"
        )
    sent = re.search(r"md5=([A-Za-z0-9+/=]+)", said)
    if sent and base64.b64decode(sent[1]).hex() != found:
        raise _refused(given, f"what came from {address} is damaged: its md5 is {found}")
    with path.open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise _refused(given, f"what {address} sends is no HDF5 file")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _address(given: Published) -> str:
    """Return where to download from: the framework's address, or the same on a mirror."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return given.address
    if not mirror.startswith(("http://", "https://")):
        raise UserError(
            f"{MIRROR} is {mirror!r}: expected an address such as https://mirror/weights",
            f"correct it, or: unset {MIRROR}",
        )
    return "/".join([mirror.rstrip("/"), *given.address.split("/")[-2:]])


def _refused(given: Published, what: str) -> UserError:
    """Return the error with all that is needed to bring the file here by hand."""
    md5 = f"md5 {given.md5}" if given.md5 else "keras.applications publishes no hash of it"
    return UserError(
        f"weights: imagenet: {what}",
        f"download {given.file} where the network lets you, from {given.address} ({md5}), put it "
        f"beside the configuration and write weights: ./{given.file} there; or set {MIRROR} to a "
        "mirror of https://storage.googleapis.com/tensorflow/keras-applications",
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
