"""Snapshots of the user's data: when runs read them, how large they are, what is used of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.lineage.index.opening import OpenIndex
from pipelines.sources.snapshot import DATA


@dataclass(frozen=True)
class SnapshotFacts:
    """The user's data as runs have read it.

    Attributes:
        digest: Of the source.
        format: How its files are read; None where its listing is not known.
        state: Of its listing: ``read``, or why it is not known.
        first: When a run read it first, ISO 8601.
        latest_run: The latest run that read it.
        runs: How many have.
        names: Of the pipelines.
        files: How many files are listed.
        bytes: How long they are together.
        lost: How many pages of its listing are gone.
        dataset: Digest of the Dataset that was made of it last, or None.
        images: How many images are in which split, or in none, by the reason.
    """

    digest: str
    format: str | None
    state: str | None
    first: str
    latest_run: str
    runs: int
    names: Sequence[str]
    files: int
    bytes: int
    lost: int
    dataset: str | None
    images: Mapping[str, int] = field(default_factory=dict[str, int])


_READ = (
    "SELECT s.id, s.digest, s.format, s.state, min(r.started) AS first, count(*)"
    " FROM run_source rs JOIN run r ON r.id = rs.run JOIN source s ON s.id = rs.source"
)
_LATEST = (
    "SELECT r.run FROM run_source rs JOIN run r ON r.id = rs.run"
    " WHERE rs.source = ? ORDER BY r.started DESC, r.run DESC LIMIT 1"
)
_NAMES = (
    "SELECT DISTINCT r.name FROM run_source rs JOIN run r ON r.id = rs.run"
    " WHERE rs.source = ? ORDER BY r.name LIMIT 20"
)
_SIZE = (
    "SELECT coalesce(sum(p.files), 0), coalesce(sum(p.bytes), 0), coalesce(sum(p.state IS NOT"
    " 'read'), 0) FROM source_page sp JOIN page p ON p.id = sp.page WHERE sp.source = ?"
)
_OPEN_DATASET = (
    "SELECT d.artifact, a.digest FROM dataset d JOIN made m ON m.artifact = d.artifact"
    " AND m.execution = d.execution AND m.port = 'dataset' JOIN artifact a ON a.id = d.artifact"
    " WHERE d.source = ? ORDER BY d.execution DESC LIMIT 1"
)


def snapshots(
    index: OpenIndex, before: tuple[str, str] | None = None, most: int = 20
) -> list[SnapshotFacts]:
    """Return the snapshots that runs have read as their data, the latest first.

    Args:
        index: Of the store.
        before: Only those after this one in the list: its ``first`` and its digest.
        most: So many at most.
    """
    edge = "HAVING (first, s.digest) < (?, ?)" if before else ""
    values = (before[0], bytes.fromhex(before[1])) if before else ()
    rows = list(
        index.execute(
            f"{_READ} WHERE rs.name = ? GROUP BY s.id {edge} ORDER BY first DESC, s.digest DESC"
            " LIMIT ?",
            (DATA, *values, most),
        )
    )
    return [_facts(index, row) for row in rows]


def snapshot(index: OpenIndex, digest: str) -> SnapshotFacts | None:
    """Return one source, whatever runs have read it as; None where none has."""
    row = index.one(f"{_READ} WHERE s.digest = ? GROUP BY s.id", [bytes.fromhex(digest)])
    return _facts(index, row) if row else None


def _facts(index: OpenIndex, row: Sequence[object]) -> SnapshotFacts:
    source, digest, form, state, first, runs = row
    assert isinstance(digest, bytes)
    assert isinstance(runs, int)
    files, size, lost = index.one(_SIZE, [source]) or (0, 0, 0)
    (latest,) = index.one(_LATEST, [source]) or ("",)
    made = index.one(_OPEN_DATASET, [source])
    return SnapshotFacts(
        digest=digest.hex(), format=None if form is None else str(form),
        state=None if state is None else str(state), first=str(first), latest_run=latest,
        runs=runs, names=[name for (name,) in index.execute(_NAMES, [source])], files=files,
        bytes=size, lost=lost, dataset=made[1].hex() if made else None,
        images=images_of(index, made[0]) if made else {},
    )  # fmt: skip


def images_of(index: OpenIndex, dataset: int) -> dict[str, int]:
    """Return how many images of a dataset are in which split, or in none, by the reason."""
    found: dict[str, int] = {}
    for split, status, count in index.execute(
        "SELECT split, status, n FROM images WHERE dataset = ?", [dataset]
    ):
        found[split or status] = found.get(split or status, 0) + count
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


_ORDER = (
    "train",
    "validation",
    "selection",
    "sealed",
    "pairs",
    "duplicate",
    "unused",
    "quarantined",
)


def _place(where: str) -> tuple[int, str]:
    return (_ORDER.index(where) if where in _ORDER else len(_ORDER), where)


def neighbours_in_time(index: OpenIndex, facts: SnapshotFacts) -> tuple[str | None, str | None]:
    """Return the data that runs of the same pipelines read before and after a snapshot."""
    marks = ", ".join("?" * len(facts.names))
    sql = (
        "SELECT s.digest FROM run r JOIN run_source rs ON rs.run = r.id AND rs.name = ?"  # noqa: S608 marks alone
        f" JOIN source s ON s.id = rs.source WHERE r.name IN ({marks})"
        " AND s.digest != ? AND r.started {0} ? ORDER BY r.started {1} LIMIT 1"
    )
    values = [DATA, *facts.names, bytes.fromhex(facts.digest)]
    before = index.one(sql.format("<", "DESC"), [*values, facts.first])
    last = index.one(
        "SELECT max(r.started) FROM run_source rs JOIN run r ON r.id = rs.run"
        " JOIN source s ON s.id = rs.source WHERE s.digest = ?",
        [bytes.fromhex(facts.digest)],
    )
    after = index.one(sql.format(">", "ASC"), [*values, last[0] if last else facts.first])
    return before[0].hex() if before else None, after[0].hex() if after else None


def runs_of(index: OpenIndex, source: str, most: int = 20) -> list[tuple[str, str, str, str]]:
    """Return the latest runs that read a source: run, as what, when, and how it ended."""
    return [
        (run, name, started, outcome)
        for run, name, started, outcome in index.execute(
            "SELECT r.run, rs.name, r.started, r.outcome FROM source s JOIN run_source rs"
            " ON rs.source = s.id JOIN run r ON r.id = rs.run WHERE s.digest = ?"
            " ORDER BY r.started DESC, r.run DESC LIMIT ?",
            (bytes.fromhex(source), most),
        )
    ]


def datasets_of(index: OpenIndex, source: str) -> list[tuple[str, str, Mapping[str, int]]]:
    """Return the Datasets that were made of a source: digest, port of ingest, images by split."""
    rows = index.execute(
        "SELECT DISTINCT d.artifact, a.digest, m.port FROM source s JOIN dataset d"
        " ON d.source = s.id JOIN artifact a ON a.id = d.artifact JOIN made m"
        " ON m.artifact = d.artifact AND m.execution = d.execution WHERE s.digest = ?"
        " ORDER BY d.execution DESC, m.port LIMIT 40",
        [bytes.fromhex(source)],
    )
    return [(digest.hex(), port, images_of(index, dataset)) for dataset, digest, port in rows]


def files_of(index: OpenIndex, source: str, most: int = 50) -> list[tuple[str, int, str]]:
    """Return the first files of a source by name: name, length, and sha256 (empty: unreadable)."""
    rows = index.execute(
        "SELECT f.name, f.bytes, f.sha FROM source s JOIN source_page p ON p.source = s.id"
        " JOIN page_file f ON f.page = p.page WHERE s.digest = ? ORDER BY f.name LIMIT ?",
        (bytes.fromhex(source), most),
    )
    return [(name, size, sha.hex() if sha else "") for name, size, sha in rows]
