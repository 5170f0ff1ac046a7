"""The plan of an erasure: everything in a store that shows or names a person or a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from components.artifacts.dataset import SEALED
from components.artifacts.manifest import MANIFEST
from components.contract.errors import UserError
from components.contract.tree import SINGLE, Tree
from pipelines.retention.descendants import Executions, inputs_of, read_executions
from pipelines.retention.holding import INFO, DataSubject, Held, holders, pages
from pipelines.retention.redacting import mentions, redacted
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.removal.erasures import Concerned
from pipelines.runs.removal.tombstones import document_of
from pipelines.runs.results import read_result
from pipelines.stores.layout import QUARANTINE, blob_key, kind_of
from pipelines.stores.store import KeyMissing, Store

ARRAYS = (".npy", ".npz")
"""Of what was made from a Dataset: calibration and sample images, embeddings and scores of each."""

_TEXT = (".json", ".jsonl", ".html", ".md", ".txt", ".csv")
_PICTURES = (b"data:image/", b"<img", b"<image")
_MODEL_FILES = ("model.tflite", "model.json")
_LEVELS = 4  # of a folder below the pipeline root: pipeline, run, task, salt


@dataclass
class Reach:
    """What an erasure reaches in a store.

    Attributes:
        held: The Datasets that name the subject.
        removed: Keys of values that go.
        documents: By sha256 of each document that is replaced, what is left of it.
        results: Step keys whose results go.
        folders: Folders in buckets that go whole.
        model_folders: Folders in buckets of which arrays and pages go.
        models: How many Models and LiteModels are concerned.
        releases: Which releases are.
        naming: Keys of records that name the subject and stay.
        class_names: How many models hold the person's name as that of a class.
        unread: Records that cannot be read.
        untold: Datasets that do not say whom their images show.
    """

    held: list[Held] = field(default_factory=list[Held])
    removed: set[str] = field(default_factory=set[str])
    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    results: set[str] = field(default_factory=set[str])
    folders: set[str] = field(default_factory=set[str])
    model_folders: set[str] = field(default_factory=set[str])
    models: int = 0
    releases: list[Concerned] = field(default_factory=list[Concerned])
    naming: list[str] = field(default_factory=list[str])
    class_names: int = 0
    unread: list[str] = field(default_factory=list[str])
    untold: list[str] = field(default_factory=list[str])


def reach_of(cache: Cache, subject: DataSubject) -> Reach:
    """Find everything in a store that shows or names a subject.

    Args:
        cache: Of the store.
        subject: Whom or what; gets all names and digests by which it is known.

    Raises:
        UserError: A manifest or a listing cannot be read.
    """
    store, found = cache.store, Reach()
    keys = list(store.list(""))
    trees = _trees(cache, keys)
    executions = read_executions(store, keys)
    found.unread = executions.unread
    told = holders(cache, trees, subject)
    found.untold = _untold(told, executions, trees)
    found.held = [one for one in told if not (one.untold or one.cut)]
    _seal(found, executions, trees)
    if any(SEALED in one.splits for one in found.held):  # who is in a part of it nobody knows
        found.held += [one for one in told if one.cut]
    named = {one.tree for one in found.held}
    holding = {one.tree for one in found.held if one.images or one.cut}
    for one in found.held:
        _reach_dataset(found, trees[one.tree], one)
    makers = executions.makers(named)
    beside = {tree for one in makers for tree in one.outputs.values()} | named
    below = executions.below(holding) - beside
    for tree in sorted(beside | below):
        if listing := trees.get(tree):
            _reach_tree(found, cache, listing, subject, made=tree in below)
    for page, left in pages(cache, subject).items():
        _replace(found, page, left)
    _reach_buckets(found, executions, holding, below)
    _reach_releases(found, store, keys, below)
    _reach_copies(found, keys)
    _reach_rest(found, store, keys, subject, trees)
    return found


def _untold(told: Sequence[Held], executions: Executions, trees: Mapping[str, Tree]) -> list[str]:
    """Return the Datasets of which nobody can tell: their ingest made no other that says it."""
    silent = {one.tree for one in told if one.untold}

    def says(tree: str) -> bool:
        listing = trees.get(tree)
        files = {entry.path for entry in listing.entries} if listing else set[str]()
        return tree not in silent and {MANIFEST, INFO} <= files

    return [
        tree
        for tree in sorted(silent)
        if not any(
            says(other) for maker in executions.makers({tree}) for other in maker.outputs.values()
        )
    ]


def _seal(found: Reach, executions: Executions, trees: Mapping[str, Tree]) -> None:
    """Add the sealed Datasets whose open ones alone tell whom their records show."""
    by_tree = {one.tree: one for one in found.held}
    for one in list(found.held):
        for maker in executions.makers({one.tree}) if one.sealed else ():
            tree = maker.outputs.get(SEALED, "")
            if tree in trees and (tree not in by_tree or not by_tree[tree].images):
                by_tree[tree] = Held(tree, {SEALED}, one.sealed)
    found.held = list(by_tree.values())


def _trees(cache: Cache, keys: Iterable[str]) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for key in keys:
        if kind_of(key) != "tree":
            continue
        tree = key.removeprefix("trees/").removesuffix(".json")
        try:
            found[tree] = Tree.from_json(json.loads(cache.store.get(key)))
        except KeyMissing:
            continue
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(
                f"{key} is damaged, so nobody knows whom its files show; nothing is erased",
                f"slimline verify --quarantine --store {cache.store.uri}, then erase again",
            ) from error
    return found


def _reach_dataset(found: Reach, listing: Tree, held: Held) -> None:
    """Take the images of every split that holds the subject, and those of listed pairs."""
    folders = {*held.splits, "pairs"} if held.images or held.cut else set[str]()
    for entry in listing.entries:
        folder, _, name = entry.path.rpartition("/")
        if folder in folders and name.startswith("images"):
            found.removed.add(blob_key(entry.sha256))


def _reach_tree(
    found: Reach, cache: Cache, listing: Tree, subject: DataSubject, *, made: bool
) -> None:
    """Take what shows or names the subject in one artifact.

    Args:
        found: So far.
        cache: The store.
        listing: The artifact.
        subject: Whom or what.
        made: Whether it was made from a Dataset that holds the subject.
    """
    paths = {entry.path for entry in listing.entries}
    model = bool(paths & set(_MODEL_FILES))
    found.models += made and model
    for entry in listing.entries:
        if made and entry.path.endswith(ARRAYS):
            found.removed.add(blob_key(entry.sha256))
        elif entry.path.endswith(_TEXT) or len(paths) == 1:
            document = document_of(cache.store, entry.sha256)
            if document is None:
                continue
            sha256, data = document
            if made and any(mark in data for mark in _PICTURES):
                found.removed.add(blob_key(sha256))
            elif model:
                found.class_names += mentions(data, subject)
            elif (left := redacted(_name(entry.path, data), data, subject)) is not None:
                _replace(found, sha256, left)


def _name(path: str, data: bytes) -> str:
    """Return a name that tells the form of a document: single files have none of their own."""
    if path != SINGLE:
        return path
    return ".html" if data.lstrip().startswith(b"<") else ".json"


def _replace(found: Reach, sha256: str, left: bytes) -> None:
    found.removed.add(blob_key(sha256))
    found.documents[sha256] = left


def _reach_buckets(
    found: Reach, executions: Executions, holding: set[str], below: set[str]
) -> None:
    """Take what the pods of a cluster left, and the copies of the data that were staged there."""
    for one in executions.makers(holding):
        if one.folder:
            found.folders.add(one.folder)
            root = one.folder.rsplit("/", _LEVELS)[0]
            found.folders |= {f"{root}/sources/{digest}" for digest in inputs_of(one)}
    found.model_folders |= {one.folder for one in executions.makers(below) if one.folder}


def _reach_releases(found: Reach, store: Store, keys: Sequence[str], below: set[str]) -> None:
    """Name the releases that rest on what goes."""
    for key in keys:
        if kind_of(key) == "release":
            note, name = _value(store, key), key.split("/")[1]
            if note.get("release") in below:
                release, run = str(note["release"]), str(note.get("run"))
                first = read_log(store, name).champion
                champion = first is not None and first.release == release
                found.releases.append(Concerned(name, run, release, champion))


def _value(store: Store, key: str) -> Mapping[str, Any]:
    try:
        value = json.loads(store.get(key))
    except (KeyMissing, ValueError):
        return {}
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _reach_copies(found: Reach, keys: Sequence[str]) -> None:
    """Take the copies of what goes that lie in quarantine, and where apps read them."""
    aside = tuple(f"{QUARANTINE}{key.replace('/', '_')}-" for key in sorted(found.removed))
    found.removed |= {
        key
        for key in keys
        if key.startswith(aside)
        or (kind_of(key) == "public" and blob_key(key.rpartition("/")[2]) in found.removed)
    }


def _reach_rest(
    found: Reach, store: Store, keys: Sequence[str], subject: DataSubject, trees: Mapping[str, Tree]
) -> None:
    """Take results and logs; name the records that stay."""
    gone = {
        tree
        for tree, listing in trees.items()
        if any(blob_key(entry.sha256) in found.removed for entry in listing.entries)
    }
    for key in keys:
        kind = kind_of(key)
        if kind == "result":
            try:
                outputs = read_result(store.get(key)).outputs.values()
            except (KeyMissing, ValueError):
                continue
            if gone & set(outputs):
                found.results.add(key.removeprefix("ac/").removesuffix(".json"))
        elif kind in ("log", "run", "progress", "step", "records"):
            try:
                named = mentions(store.get(key), subject)
            except KeyMissing:
                continue
            if named and kind == "log":
                found.removed.add(key)
            elif named:
                found.naming.append(key)
