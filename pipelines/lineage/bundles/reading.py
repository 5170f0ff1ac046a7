"""Verifying a bundle, with no store at hand: its form, its list, and the chain in it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults
from pipelines.lineage.bundles.archive import SIZE_BYTES_MAX, NoArchiveError, read_archive
from pipelines.lineage.bundles.bundle_store import BundleStore
from pipelines.lineage.bundles.contents import LIST, SCHEMA, list_of
from pipelines.lineage.proof.chain import Asked, Extent, links_of
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Chain, Fault, Link

_MAGIC = b"PK\x03\x04"


def is_bundle(path: Path) -> bool:
    """Whether a file is meant to be a bundle, by its name or its first bytes."""
    with disk_faults(path):
        if not path.is_file():
            return False
        if path.suffix.lower() == ".zip":
            return True
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC


def verify_bundle(path: Path, extent: Extent) -> tuple[Chain, BundleStore]:
    """Check a bundle: every byte of it, and the chain from the release up to the lists of sources.

    Args:
        path: The file.
        extent: ``places`` leads on to the user's files.

    Returns:
        The chain, and the bundle as a store, which holds nothing where it is none.

    Raises:
        UserError: The file cannot be read.
    """
    said = "one form, a list of every file, and nothing else"
    try:
        files = read_archive(_bytes(path))
        listed = _listed(files)
    except NoArchiveError as error:
        what = f"is no bundle as slimline writes it: {error}"
        link = Link(f"bundle {path.name}", "", said, (Fault(str(path), "damaged", what),))
        return Chain(str(path), "", None, (link,)), BundleStore(str(path), {})
    name, run, release = (str(listed[key]) for key in ("name", "run", "release"))
    store = BundleStore(str(path), files)
    evidence = Evidence(store, partial=True)
    links = links_of(evidence, Asked(run, release, str(path)), extent)
    proof = [link for link in links if not link.name.startswith("files of ")]
    expected = list_of(files, name=name, run=run, release=release, links=proof)
    faults = list(_idle(evidence, store, files, path))
    if expected != files[LIST]:
        what = f"has a {LIST} that does not follow from its other files"
        faults.insert(0, Fault(str(path), "damaged", what))
    links = [Link(f"bundle {path.name}", "", said, tuple(faults)), *links]
    size = sum(len(data) for data in files.values())
    return Chain(str(path), run, release, tuple(links), (), len(files), size), store


def _bytes(path: Path) -> bytes:
    with disk_faults(path):
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > SIZE_BYTES_MAX + (1 << 20):
            raise UserError(
                f"{path} is no bundle: it has {found.st_size:,} bytes, or is no regular file",
                "slimline export RUN --format bundle writes one",
            )
        return path.read_bytes()


def _listed(files: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Return what the list of a bundle says it is about.

    Raises:
        NoArchiveError: There is no list, or it is something else.
    """
    try:
        listed = cast("Mapping[str, Any]", json.loads(files[LIST]))
        version = listed["schema"]
        about = [listed[key] for key in ("name", "run", "release")]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise NoArchiveError(f"it has no {LIST}, or one that is none") from None
    if version != SCHEMA or not all(isinstance(item, str) for item in about):
        raise NoArchiveError(f"its {LIST} is of the version {version}, and this reads {SCHEMA}")
    return listed


def _idle(
    evidence: Evidence, store: BundleStore, files: Mapping[str, bytes], path: Path
) -> Iterator[Fault]:
    """Name the files of a bundle that its chain does not lead to."""
    used = {store.place(key) for key in evidence.asked_for}
    for name in files:
        if name not in used and name != LIST:
            yield Fault(f"{path}: {name}", "damaged", "belongs to nothing in the bundle")
