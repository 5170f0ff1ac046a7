"""What rows of records refer to: manifests, decisions, sources and their pages, read once each.

Each such value has a state. What cannot be read leaves its state and, unless it was removed on
purpose or never kept, a problem; it is looked for again when it is made again, when something was
collected, and once a day.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.artifacts.empty import FILE as NOTHING
from components.artifacts.qualification import MANIFEST as WORTH
from components.artifacts.qualification import qualification_in
from components.contract.digests import canonical_json
from pipelines.lineage.index.facts import digest_bytes, text
from pipelines.lineage.index.inserting import Inserter
from pipelines.lineage.index.manifests import MANIFEST, is_of_manifest, manifest_rows
from pipelines.lineage.index.values import LostValue, ReadFiles, Wanted, read_files
from pipelines.runs.kept.cluster_results import ELSEWHERE
from pipelines.runs.removal.exclusions import identity_digest
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import Store

DECISION = "decision.json"
_NO_CONTENT = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)

_FILES = "SELECT file.path, file.sha FROM file WHERE file.artifact = ?"
_CLUSTER = (
    "SELECT 1 FROM made JOIN execution ON execution.id = made.execution"
    " WHERE made.artifact = ? AND execution.engine IN (?, ?)"
)


@dataclass(frozen=True)
class Kind:
    """One kind of what is read.

    Attributes:
        what: Its name in ``read_from``.
        table: Whose column ``state`` says how it stands.
        key: The column that names the artifact there.
        chosen: Which files of the artifact are read.
        needed: The file that has to be among them.
        insert: Writes the rows; raises one of ``_NO_CONTENT`` where the files are something else.
        at_once: How many artifacts are in memory together.
    """

    what: str
    table: str
    key: str
    chosen: Callable[[str], bool]
    needed: str
    insert: Callable[[Inserter, int, ReadFiles], None]
    at_once: int = 128


def wanted_of(database: sqlite3.Connection, kind: Kind) -> list[Wanted]:
    """Return what of a kind has not been looked for."""
    rows = database.execute(
        f"SELECT {kind.key}, artifact.digest FROM {kind.table}"  # noqa: S608 names of our tables
        f" JOIN artifact ON artifact.id = {kind.key} WHERE state IS NULL ORDER BY 1"
    ).fetchall()
    return [
        Wanted(
            owner,
            sha.hex(),
            {path: file.hex() for path, file in database.execute(_FILES, (owner,))},
            database.execute(_CLUSTER, (owner, *ELSEWHERE)).fetchone() is not None,
        )
        for owner, sha in rows
    ]


def read_wanted(store: Store, kind: Kind, wanted: Wanted) -> ReadFiles | LostValue:
    """Read what is wanted of one artifact."""
    return read_files(store, wanted, kind.chosen, needed=kind.needed)


def insert_content(
    inserter: Inserter, kind: Kind, wanted: Wanted, found: ReadFiles | LostValue
) -> None:
    """Write what was read of one artifact, or why nothing was."""
    database = inserter.database
    begin(inserter, kind.what, wanted.owner)
    if isinstance(found, ReadFiles):
        try:
            kind.insert(inserter, wanted.owner, found)
            state = "read"
        except _NO_CONTENT as error:
            key = blob_key(found.listing[kind.needed]) if kind.needed in found.listing else ""
            key = key or tree_key(wanted.digest)
            loss = LostValue(key, "damaged", f"is no {kind.needed} of a {kind.what}: {error}"[:200])
            state = note_loss(inserter, kind.what, wanted.owner, loss)
        rest_on(database, kind.what, wanted.owner, found.digests)
        if state == "read":  # two that are damaged would wake each other for ever
            tell_others(database, found.digests)
    elif found.state == "missing" and wanted.elsewhere:
        state = "elsewhere"
    else:
        state = note_loss(inserter, kind.what, wanted.owner, found)
    database.execute(
        f"UPDATE {kind.table} SET state = ? WHERE {kind.key} = ?",  # noqa: S608 our tables
        (state, wanted.owner),
    )


def begin(inserter: Inserter, what: str, owner: int) -> None:
    """Forget from what an owner was read before, and what was wrong with that."""
    database = inserter.database
    for (sha,) in database.execute(
        "SELECT digest FROM read_from WHERE what = ? AND owner = ?", (what, owner)
    ).fetchall():
        inserter.drop_problem(blob_key(sha.hex()))
        inserter.drop_problem(tree_key(sha.hex()))
    database.execute("DELETE FROM read_from WHERE what = ? AND owner = ?", (what, owner))
    for sql in _ROWS.get(what, ()):
        database.execute(sql, (owner,))


def rest_on(database: sqlite3.Connection, what: str, owner: int, digests: Sequence[bytes]) -> None:
    """Note what the rows of an owner were read from."""
    database.executemany(
        "INSERT OR IGNORE INTO read_from VALUES (?, ?, ?)",
        [(sha, what, owner) for sha in digests],
    )


def tell_others(database: sqlite3.Connection, digests: Sequence[bytes]) -> None:
    """Have others look again for values that are there, and that they did not find."""
    for sha in digests:
        database.execute("DELETE FROM tombstone WHERE digest = ?", (sha,))
        for sql in _LOST_AGAIN:
            database.execute(sql, (sha,))


def note_loss(inserter: Inserter, what: str, owner: int, loss: LostValue) -> str:
    """Write why a value cannot be read, and return the state."""
    sha = loss.key.rpartition("/")[2].removesuffix(".json")
    rest_on(inserter.database, what, owner, [bytes.fromhex(sha)])
    if loss.stone:
        inserter.database.execute(
            "INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)",
            (digest_bytes(loss.stone.digest), loss.stone.why, loss.stone.at),
        )
    else:
        inserter.put_problem(loss.key, loss.what)
    return loss.state


_FORGET_FILES = (
    "DELETE FROM file WHERE artifact = ?1 AND NOT EXISTS (SELECT 1 FROM made JOIN execution"
    " ON execution.id = made.execution WHERE made.artifact = ?1 AND execution.version > 1)"
)
_ROWS = {
    "manifest": (
        "DELETE FROM fate WHERE dataset = ?",
        "DELETE FROM images WHERE dataset = ?",
        "DELETE FROM records WHERE dataset = ?",
        "UPDATE manifest SET pixels = NULL WHERE dataset = ?",
    ),
    "decision": (
        "DELETE FROM metric WHERE decision = ?",
        "DELETE FROM machine WHERE decision = ?",
        "UPDATE decision SET winner = NULL, bytes = NULL WHERE artifact = ?",
    ),
    "release": ("UPDATE worth SET qualified = NULL, empty = NULL WHERE artifact = ?",),
    "listing": (_FORGET_FILES,),
    "page": (
        "DELETE FROM page_file WHERE page = ?",
        "UPDATE page SET files = NULL, bytes = NULL WHERE id = ?",
    ),
}
"""What an owner's rows are, to be written anew."""

_LOST_AGAIN = tuple(
    # From the few that were not found, by an index of these alone: equal bytes may be of very many.
    f"UPDATE {table} SET state = NULL WHERE state != 'read' AND EXISTS (SELECT 1 FROM read_from"  # noqa: S608 our tables
    f" WHERE digest = ? AND what = '{what}' AND owner = {table}.{key})"
    for what, table, key in (
        ("page", "page", "id"),
        ("listing", "listing", "artifact"),
        ("manifest", "manifest", "dataset"),
        ("decision", "decision", "artifact"),
        ("release", "worth", "artifact"),
    )
)


def _insert_manifest(inserter: Inserter, dataset: int, files: ReadFiles) -> None:
    rows, database = manifest_rows(files.content), inserter.database
    database.executemany(
        "INSERT INTO fate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                dataset, row.name, row.sha, row.pixels, row.label, row.split, row.status,
                row.duplicate_of, row.place,
            )
            for row in rows.fates.values()
        ],
    )  # fmt: skip
    database.executemany(
        "INSERT INTO images VALUES (?, ?, ?, ?)",
        [(dataset, split, status, n) for (split, status), n in rows.images.items()],
    )
    database.executemany(
        "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)",
        [(dataset, row.name, row.sha, row.split, row.status, row.count) for row in rows.files],
    )
    database.executemany(
        "INSERT OR IGNORE INTO label VALUES (?, ?)",
        [
            (label, digest_bytes(identity_digest(label)))
            for label in {row.label for row in rows.fates.values()}
            if label is not None
        ],
    )
    database.execute(
        "UPDATE manifest SET pixels = ? WHERE dataset = ?", (int(rows.pixels), dataset)
    )


def drop_unused_labels(database: sqlite3.Connection) -> None:
    """Forget labels of images that no manifest tells of any more."""
    database.execute(
        "DELETE FROM label WHERE NOT EXISTS (SELECT 1 FROM fate WHERE fate.label = label.label)"
    )


def _insert_decision(inserter: Inserter, artifact: int, files: ReadFiles) -> None:
    value: Mapping[str, Any] = json.loads(files.content[DECISION])
    winner = value["winner"]
    sizes = {variant["name"]: variant.get("size_bytes") for variant in value["variants"]}
    inserter.database.execute(
        "UPDATE decision SET winner = ?, bytes = ? WHERE artifact = ?",
        (None if winner is None else text(winner), sizes.get(winner), artifact),
    )
    inserter.database.executemany(
        "INSERT OR REPLACE INTO metric VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (artifact, text(variant["name"]), device, name, *_interval(interval))
            for variant in value["variants"]
            for device, name, interval in _metrics(variant)
        ],
    )
    inserter.database.executemany(
        "INSERT OR REPLACE INTO machine VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                artifact, text(device), canonical_json(machine["facts"]).decode(),
                text(machine["runtime"]), int(machine["threads"]), int(machine["processes"]),
                int(machine["inferences"]),
            )
            for device, machine in value.get("devices", {}).items()
        ],
    )  # fmt: skip


def _metrics(variant: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    found = [("", text(name), value) for name, value in variant["metrics"].items()]
    if variant.get("drop"):
        found.append(("", "drop", variant["drop"]))
    for device, timing in variant["latency"].items():
        if timing.get("p50_ms"):
            found.append((text(device), "p50_ms", timing["p50_ms"]))
    return found


def _interval(value: Mapping[str, Any]) -> tuple[float, float, float]:
    return float(value["value"]), float(value["low"]), float(value["high"])


def _insert_worth(inserter: Inserter, artifact: int, files: ReadFiles) -> None:
    empty = WORTH not in files.content and NOTHING in files.listing
    qualified = False if empty else qualification_in(json.loads(files.content[WORTH]))[0]
    inserter.database.execute(
        "UPDATE worth SET qualified = ?, empty = ? WHERE artifact = ?",
        (int(qualified), int(empty), artifact),
    )


def _insert_listing(inserter: Inserter, artifact: int, files: ReadFiles) -> None:
    inserter.database.executemany(
        "INSERT OR IGNORE INTO file VALUES (?, ?, ?)",
        [(digest_bytes(sha), artifact, text(path)) for path, sha in files.listing.items()],
    )


KINDS = (
    Kind("listing", "listing", "artifact", lambda _: False, "", _insert_listing),
    Kind("manifest", "manifest", "dataset", is_of_manifest, MANIFEST, _insert_manifest, 4),
    Kind("decision", "decision", "artifact", DECISION.__eq__, DECISION, _insert_decision),
    Kind("release", "worth", "artifact", WORTH.__eq__, WORTH, _insert_worth),
)
"""All kinds, in the order in which they are read: listings tell of files that others need."""
