"""Writing an export: one file, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults, sync_folder
from pipelines.lineage.bundles.writing import bundle_of
from pipelines.lineage.exports.cyclonedx import cyclonedx_of
from pipelines.lineage.exports.openlineage import openlineage_of
from pipelines.lineage.exports.run_facts import RunFacts, facts_of
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.records import RunRecord

Form = Literal["openlineage", "cyclonedx", "model-card", "bundle"]

SUFFIXES: dict[Form, str] = {
    "openlineage": "openlineage.jsonl",
    "cyclonedx": "cdx.json",
    "model-card": "card.md",
    "bundle": "bundle.zip",
}
"""By form what stands behind the name of the release in the name of the file."""

_CARD = "card.md"
_RELEASE_LIST = "files.json"


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: Where.
        sha256: Of its bytes.
        size_bytes: How many there are.
    """

    path: Path
    sha256: str
    size_bytes: int


def export_as(form: Form, cache: Cache, record: RunRecord, folder: Path) -> Exported:
    """Write one form of a run into a folder.

    Args:
        form: Which one.
        cache: The store of the run.
        record: Of the run.
        folder: Where to; it is made.

    Raises:
        UserError: The run has released nothing, the form's package is not installed, the chain of
            a bundle is broken, or the folder cannot be written.
    """
    if (folder / _RELEASE_LIST).exists():
        raise UserError(
            f"{folder} is the folder of a release, which holds nothing else",
            f"slimline export {record.run} --format {form} --output {folder.parent or '.'}",
        )
    facts = facts_of(cache, record)
    data = _content(form, cache, facts)
    path = folder / f"{record.name}.{SUFFIXES[form]}"
    _write(path, data)
    return Exported(path, hashlib.sha256(data).hexdigest(), len(data))


def _content(form: Form, cache: Cache, facts: RunFacts) -> bytes:
    match form:
        case "openlineage":
            return openlineage_of(facts)
        case "cyclonedx":
            return cyclonedx_of(facts)
        case "bundle":
            return bundle_of(cache.store, facts.record, facts.release)
        case "model-card":
            try:
                return cache.read_file(facts.release, _CARD)
            except (CorruptionError, KeyError) as error:
                raise UserError(
                    f"the model card of run {facts.record.run} is damaged: {error}",
                    "slimline run CONFIG again: it makes anew what is broken",
                ) from error


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole, or as it was before; a kill leaves a hidden one beside it."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(path.parent)
