"""The images of one Dataset: which there are, of which class, and which of them may be shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.removal.exclusions import identity_digest

OPEN_SPLITS = ("train", "validation", "selection")
"""Splits whose images may be looked at; the sealed ones stay closed."""


@dataclass(frozen=True)
class DatasetFacts:
    """Where a Dataset comes from.

    Attributes:
        id: In the index.
        digest: Of its tree.
        bytes: Its length, or None.
        sealed: Whether it is the sealed one of ingest.
        record: Key of the record of the step that made it.
        source: Digest of the data that it was made of, or None.
        report: Digest of the report of that step, or None.
        state: Of its manifest: ``read``, or why it is not known.
    """

    id: int
    digest: str
    bytes: int | None
    sealed: bool
    record: str | None
    source: str | None
    report: str | None
    state: str | None


@dataclass(frozen=True)
class DatasetImage:
    """What became of an image.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        label: Its class or identity, or None.
        where: Its split, or why it is in none.
        duplicate_of: Name of the image that stands for it, or None.
        shown: Number under which its picture is served; None where it is not shown.
        why_not: Why it is not: ``sealed``, ``sealed elsewhere``, which is in another Dataset,
            ``erased``, or empty where there is no picture.
    """

    name: str
    label: str | None
    where: str
    duplicate_of: str | None
    shown: int | None
    why_not: str


def dataset_facts(index: OpenIndex, digest: str) -> DatasetFacts | None:
    """Return where a Dataset comes from; None where the index knows of none."""
    known = index.one(
        "SELECT id, bytes FROM artifact WHERE digest = ? AND kind = 'Dataset'",
        [bytes.fromhex(digest)],
    )
    if known is None:
        return None
    artifact, size = known
    made = index.one(
        "SELECT m.port, e.record, e.id FROM made m JOIN execution e ON e.id = m.execution"
        " WHERE m.artifact = ? ORDER BY e.id DESC LIMIT 1",
        [artifact],
    )
    port, record, execution = made or ("dataset", None, None)
    source = index.one(
        "SELECT s.digest FROM dataset d JOIN source s ON s.id = d.source WHERE d.artifact = ?"
        " ORDER BY d.execution DESC LIMIT 1",
        [artifact],
    )
    report = index.one(
        "SELECT a.digest FROM made m JOIN artifact a ON a.id = m.artifact"
        " WHERE m.execution = ? AND m.port = 'report'",
        [execution],
    )
    state = index.one("SELECT state FROM manifest WHERE dataset = ?", [artifact])
    return DatasetFacts(
        artifact, digest, size, port == "sealed", record, source[0].hex() if source else None,
        report[0].hex() if report else None, state[0] if state else None,
    )  # fmt: skip


def runs_with(index: OpenIndex, dataset: int, most: int = 20) -> list[tuple[str, str, str]]:
    """Return the latest runs whose ingest gave a Dataset: run, when, and how it ended."""
    return [
        (run, started, outcome)
        for run, started, outcome in index.execute(
            "SELECT DISTINCT r.run, r.started, r.outcome FROM dataset d JOIN run_step s"
            " ON s.execution = d.execution JOIN run r ON r.id = s.run WHERE d.artifact = ?"
            " ORDER BY r.started DESC, r.run DESC LIMIT ?",
            (dataset, most),
        )
    ]


def classes_of(index: OpenIndex, dataset: int) -> list[tuple[str, dict[str, int]]]:
    """Return how many images of each class are in which split; the most frequent class first."""
    found: dict[str, dict[str, int]] = {}
    for label, split, count in index.execute(
        "SELECT label, split, count(*) FROM fate WHERE dataset = ? AND status = 'used'"
        " GROUP BY label, split",
        [dataset],
    ):
        found.setdefault(label or "", {})[split or ""] = count
    return sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))


_COLUMNS = "SELECT name, label, split, status, duplicate_of, sha, pixels, place FROM fate"


@dataclass(frozen=True)
class ImageFilter:
    """Which images are listed.

    Attributes:
        split: A split, or empty.
        status: What became of it, or empty.
        label: A class, or empty.
    """

    split: str = ""
    status: str = ""
    label: str = ""


def images_after(
    index: OpenIndex, dataset: int, chosen: ImageFilter, after: str, most: int,
    excluded: Collection[str],
) -> list[DatasetImage]:  # fmt: skip
    """Return images of a Dataset by name.

    Args:
        index: Of the store.
        dataset: In the index.
        chosen: Which.
        after: Those after this name.
        most: So many at most.
        excluded: Digests of what was erased.
    """
    values = {"split": chosen.split, "status": chosen.status, "label": chosen.label}
    given = {column: value for column, value in values.items() if value}
    where = "".join(f" AND +{column} = ?" for column in given)
    rows = index.execute(
        f"{_COLUMNS} WHERE dataset = ? AND name > ?{where} ORDER BY name LIMIT ?",
        (dataset, after, *given.values(), most),
    )
    return [_image(index, row, excluded) for row in list(rows)]


def images_named(
    index: OpenIndex, dataset: int, names: Sequence[str], excluded: Collection[str]
) -> dict[str, DatasetImage]:
    """Return some images of a Dataset by their names; few at a time."""
    found: dict[str, DatasetImage] = {}
    for name in names:
        row = index.one(f"{_COLUMNS} WHERE dataset = ? AND name = ?", (dataset, name))
        if row:
            found[name] = _image(index, row, excluded)
    return found


def image_at(
    index: OpenIndex, dataset: int, number: int, excluded: Collection[str]
) -> tuple[str, int] | None:
    """Return split and row of the image that has a number; None where none is to be shown."""
    place, split = divmod(number, len(OPEN_SPLITS))
    row = index.one(
        f"{_COLUMNS} WHERE dataset = ? AND split = ? AND place = ?",
        (dataset, OPEN_SPLITS[split], place),
    )
    if row is None or _image(index, row, excluded).shown is None:
        return None
    return OPEN_SPLITS[split], place


def _image(index: OpenIndex, row: Sequence[object], excluded: Collection[str]) -> DatasetImage:
    name, label, split, status, duplicate_of, sha, pixels, place = row
    why = _why_hidden(index, split, label, sha, pixels, excluded)
    number = None
    if not why and isinstance(place, int) and split in OPEN_SPLITS:
        number = place * len(OPEN_SPLITS) + OPEN_SPLITS.index(str(split))
    return DatasetImage(
        str(name), None if label is None else str(label), str(split or status),
        None if duplicate_of is None else str(duplicate_of), number, why,
    )  # fmt: skip


def _why_hidden(
    index: OpenIndex, split: object, label: object, sha: object, pixels: object,
    excluded: Collection[str],
) -> str:  # fmt: skip
    """Say why an image must not be looked at: sealed in any dataset of the store, or erased."""
    digests = [value for value in (sha, pixels) if isinstance(value, bytes)]
    names = [digest.hex() for digest in digests]
    if isinstance(label, str):
        names.append(identity_digest(label))
    if any(name in excluded for name in names):
        return "erased"
    if split == "sealed":
        return "sealed"
    elsewhere = any(
        index.one(
            f"SELECT 1 FROM fate WHERE {column} = ? AND split = 'sealed' LIMIT 1",  # noqa: S608 ours
            [value],
        )
        for column, value in (("sha", sha), ("pixels", pixels))
        if isinstance(value, bytes)
    )
    return "sealed elsewhere" if elsewhere else ""
