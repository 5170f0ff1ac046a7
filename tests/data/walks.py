"""The answer to ``affected`` by a walk over the records of a store, without an index."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from components.contract.tree import Tree
from pipelines.runs.records import parse_record
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.statements import Statement, read_statement
from pipelines.stores.layout import blob_key, kind_of, run_key, source_key, tree_key
from pipelines.stores.store import KeyMissing, Store

MANIFEST = "manifest.jsonl"
Roles = Mapping[str, int]


def walked(
    store: Store, *, sha: str | None = None, pixels: str | None = None, identity: str | None = None
) -> dict[str, tuple[str, Roles]]:
    """Return by run how its release stands and in which roles it holds what is looked for."""
    found: dict[str, tuple[str, Roles]] = {}
    for key in store.list("releases/"):
        if kind_of(key) != "release":
            continue
        note = json.loads(store.get(key))
        name = key.split("/")[1]
        roles: Counter[str] = Counter()
        missing = False
        for lines in _datasets(store, note["run"], note["release"]):
            missing = missing or lines is None
            roles |= Counter(_roles(lines or {}, sha, pixels, identity))
        if missing and sha and not roles and sha in _listed(store, note["run"]):
            roles["data"] = 1
        if roles:
            found[note["run"]] = (_standing(store, name, note), dict(roles))
    return found


def _roles(
    lines: Mapping[str, Any], sha: str | None, pixels: str | None, identity: str | None
) -> Iterator[str]:
    for line in lines.values():
        label = unicodedata.normalize("NFC", line.get("label") or "").casefold().strip()
        if not (
            (sha and line["sha256"] == sha)
            or (pixels and line.get("pixels") == pixels)
            or (identity and label == identity)
        ):
            continue
        standing = lines[line["duplicate_of"]] if line["status"] == "duplicate" else line
        if standing["status"] == "used":
            yield standing["split"]


def _datasets(store: Store, run: str, release: str) -> Iterator[Mapping[str, Any] | None]:
    """Yield the manifest of each dataset that a release of a run was made of; None: it has gone."""
    record = parse_record(store.get(run_key(run)))
    statements = [read_statement(store.get(step["record"])) for step in record.steps.values()]
    for artifact in _above(statements, release):
        for port in _ports(statements, artifact):
            try:
                sha = _manifest(store, statements, artifact, port)
                lines = [json.loads(line) for line in store.get(blob_key(sha)).splitlines()]
            except KeyMissing:
                yield None
                continue
            yield {line["name"]: line for line in lines}


def _ports(statements: list[Statement], artifact: str) -> set[str]:
    return {
        port
        for statement in statements
        if statement.ingredients["component"] == "ingest"
        for port in ("dataset", "sealed")
        if statement.outputs.get(port) == artifact
    }


def _manifest(store: Store, statements: list[Statement], artifact: str, port: str) -> str:
    """Return the sha256 of a manifest: as a record names it, else as the file tree does."""
    for statement in statements:
        if statement.outputs.get(port) == artifact and (port, MANIFEST) in statement.files:
            return statement.files[port, MANIFEST]
    tree = Tree.from_json(json.loads(store.get(tree_key(artifact))))
    return next(one.sha256 for one in tree.entries if one.path == MANIFEST)


def _listed(store: Store, run: str) -> set[str]:
    """Return the sha256 of all files of the data of a run, as far as its pages are there."""
    found: set[str] = set()
    try:
        listing = json.loads(
            store.get(source_key(parse_record(store.get(run_key(run))).sources["data"]))
        )
    except KeyMissing:
        return found
    for page in listing["pages"]:
        with contextlib.suppress(KeyMissing):
            found |= {file[2] for file in json.loads(store.get(blob_key(page)))}
    return found


def _above(statements: list[Statement], release: str) -> set[str]:
    seen, waiting = {release}, [release]
    while waiting:
        artifact = waiting.pop()
        for statement in statements:
            if artifact not in statement.outputs.values():
                continue
            for value in statement.ingredients["inputs"].values():
                for given in value if isinstance(value, list) else [value]:
                    if given and given not in seen:
                        seen.add(given)
                        waiting.append(given)
    return seen


def _standing(store: Store, name: str, note: Mapping[str, str]) -> str:
    entries = read_log(store, name).entries
    mine = [
        n
        for n, one in enumerate(entries)
        if (one.run, one.release) == (note["run"], note["release"])
    ]
    if mine and mine[-1] == len(entries) - 1:
        return "champion"
    if mine:
        return "rolled back" if entries[mine[-1] + 1].kind == "rollback" else "past"
    return ""
