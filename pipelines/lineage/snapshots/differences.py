"""What differs between two snapshots of the data: image by image, or file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pipelines.lineage.comparing.samples import (
    QUARANTINED,
    Fate,
    SampleChanges,
    compare_samples,
)
from pipelines.lineage.index.opening import OpenIndex


@dataclass(frozen=True)
class SnapshotSide:
    """One of the two.

    Attributes:
        digest: As it was asked about.
        dataset: The Dataset that stands for it, in the index; None where none was made of it.
        dataset_digest: Of that.
        source: The source in the index, or None.
        images: How many images or files it has.
    """

    digest: str
    dataset: int | None
    dataset_digest: str | None
    source: int | None
    images: int


@dataclass(frozen=True)
class SnapshotChanges:
    """What differs.

    Attributes:
        before: The earlier side.
        now: The later one.
        by_files: Whether files were compared, as of one of them no Dataset is known.
        samples: What differs.
    """

    before: SnapshotSide
    now: SnapshotSide
    by_files: bool
    samples: SampleChanges


def side_of(index: OpenIndex, digest: str) -> SnapshotSide | None:
    """Return what stands for a digest of a source or of a Dataset; None for any other."""
    row = index.one("SELECT id, kind FROM artifact WHERE digest = ?", [bytes.fromhex(digest)])
    if row is None or row[1] not in ("Source", "Dataset"):
        return None
    dataset, source = (row[0], None) if row[1] == "Dataset" else (None, row[0])
    dataset_digest = digest if dataset else None
    if dataset is None:
        made = index.one(
            "SELECT d.artifact, a.digest FROM dataset d JOIN made m ON m.artifact = d.artifact"
            " AND m.execution = d.execution AND m.port = 'dataset' JOIN artifact a"
            " ON a.id = d.artifact JOIN manifest f ON f.dataset = d.artifact AND f.state = 'read'"
            " WHERE d.source = ? ORDER BY d.execution DESC LIMIT 1",
            [source],
        )
        if made:
            dataset, dataset_digest = made[0], made[1].hex()
    else:
        made_of = index.one("SELECT source FROM dataset WHERE artifact = ?", [dataset])
        source = made_of[0] if made_of else None
    if dataset is not None:
        count = index.one("SELECT coalesce(sum(n), 0) FROM images WHERE dataset = ?", [dataset])
    else:
        count = index.one(
            "SELECT coalesce(sum(p.files), 0) FROM source_page sp JOIN page p ON p.id = sp.page"
            " WHERE sp.source = ?",
            [source],
        )
    return SnapshotSide(digest, dataset, dataset_digest, source, count[0] if count else 0)


def changes_between(
    index: OpenIndex, before: SnapshotSide, now: SnapshotSide, reasons: Mapping[str, str]
) -> SnapshotChanges:
    """Compare two snapshots.

    Images that are the same in everything are left out by the database; so little is compared
    where little differs.

    Args:
        index: Of the store.
        before: The earlier one.
        now: The later one.
        reasons: By name why images of the later one are not used.
    """
    by_files = before.dataset is None or now.dataset is None
    if by_files:
        samples = compare_samples(_files(index, before, now), _files(index, now, before))
    else:
        samples = compare_samples(
            _fates(index, before.dataset, now.dataset, {}),
            _fates(index, now.dataset, before.dataset, reasons),
        )
    samples = replace(samples, before=before.images, now=now.images)
    return SnapshotChanges(before, now, by_files, samples)


_DIFFERING = (
    "SELECT a.name, a.sha, a.pixels, a.label, a.split, a.status FROM fate a LEFT JOIN fate b"
    " ON b.dataset = ? AND b.name = a.name WHERE a.dataset = ? AND (b.name IS NULL"
    " OR a.sha IS NOT b.sha OR a.pixels IS NOT b.pixels OR a.label IS NOT b.label"
    " OR a.split IS NOT b.split OR a.status IS NOT b.status)"
)


def _fates(
    index: OpenIndex, dataset: int | None, other: int | None, reasons: Mapping[str, str]
) -> Iterator[Fate]:
    for name, sha, pixels, label, split, status in index.execute(_DIFFERING, (other, dataset)):
        reason = reasons.get(name, "") if status == QUARANTINED else ""
        yield Fate(name, _hex(sha), _hex(pixels), label, split, status, reason)


def _files(index: OpenIndex, side: SnapshotSide, other: SnapshotSide) -> Iterator[Fate]:
    """Yield the files of the pages that the other listing does not share."""
    for name, sha in index.execute(
        "SELECT f.name, f.sha FROM source_page p JOIN page_file f ON f.page = p.page"
        " WHERE p.source = ? AND p.page NOT IN (SELECT page FROM source_page WHERE source = ?)",
        (side.source, other.source),
    ):
        yield Fate(name, _hex(sha), None, None, None, "used")


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
