"""A release as its run left it: manifest, files, the record of the run, and what its steps made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

from components.artifacts.empty import FILE as NOTHING
from components.artifacts.qualification import MANIFEST, qualification_in
from components.artifacts.released_files import files_in
from components.contract.errors import UserError
from components.contract.tree import Entry
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import blob_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import KeyMissing

MODEL_SUFFIX = ".tflite"


@dataclass(frozen=True)
class PublishedRelease:
    """A release.

    Attributes:
        name: Of the releases: the configuration's name.
        run: The run that published it.
        release: Its tree digest.
        manifest: The content of ``manifest.json``.
        files: All of its files.
        record: Of the run; None where it is gone or damaged.
    """

    name: str
    run: str
    release: str
    manifest: Mapping[str, Any]
    files: tuple[Entry, ...]
    record: RunRecord | None

    @property
    def trained_by(self) -> str:
        """Who started its run; empty where no record says it."""
        return self.record.actor if self.record else ""

    @cached_property
    def qualified(self) -> tuple[bool, tuple[str, ...]]:
        """Whether it qualifies on the sealed images, and why."""
        return qualification_in(self.manifest)

    @property
    def models(self) -> tuple[Entry, ...]:
        """The model files."""
        return tuple(entry for entry in self.files if entry.path.endswith(MODEL_SUFFIX))

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that its model files are, each once."""
        named = (str(entry.get("variant", "")) for entry in files_in(self.manifest))
        return tuple(dict.fromkeys(named))

    def output(self, step: str, port: str) -> str | None:
        """Return the tree digest of what a step of its run made; None where no record says it."""
        if self.record is None or step not in self.record.steps:
            return None
        made: Mapping[str, str] = self.record.steps[step].get("outputs") or {}
        return made.get(port)

    def execution(self, step: str) -> str | None:
        """Return the store key of the record of a step of its run, or None."""
        if self.record is None or step not in self.record.steps:
            return None
        return self.record.steps[step].get("record")

    def __str__(self) -> str:
        """Return what a person calls it."""
        return f"{self.name}@{self.run} ({self.release[:8]})"


def read_published(cache: Cache, name: str, run: str, release: str) -> PublishedRelease | None:
    """Read what a run published; None where it had no winner.

    Raises:
        UserError: What it published is missing or damaged.
    """
    try:
        files = cache.tree(release).entries
        if any(entry.path == NOTHING for entry in files):
            return None
        manifest = cast("dict[str, Any]", json.loads(cache.read_file(release, MANIFEST)))
        qualification_in(manifest)
    except (CorruptionError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise damaged(cache, name, run, release, str(error)) from error
    try:
        record = read_run(cache.store, run)
    except UserError:
        record = None
    return PublishedRelease(name, run, release, manifest, files, record)


def check_bytes(cache: Cache, published: PublishedRelease) -> None:
    """Read every byte of a release in the store itself and hold it against its digest.

    What this machine has in its cache says nothing of what apps will download.

    Raises:
        UserError: Some are missing or damaged.
    """
    store = open_store(cache.store.uri, direct=True)
    for entry in published.files:
        try:
            found = sha256(store.get(blob_key(entry.sha256))).hexdigest()
        except KeyMissing:
            found = None
        if found != entry.sha256:
            state = "damaged" if found else "missing"
            what = f"{entry.path} is {state} ({blob_key(entry.sha256)})"
            raise damaged(cache, published.name, published.run, published.release, what)


def damaged(cache: Cache, name: str, run: str, release: str, what: str) -> UserError:
    """Return the error for a release that is not as its run left it."""
    return UserError(
        f"the release {name}@{run} ({release[:8]}) in the store {cache.store.uri} is damaged: "
        f"{what}",
        "slimline run CONFIG makes anew what is missing; or name another release: slimline "
        f"releases {name}",
    )
