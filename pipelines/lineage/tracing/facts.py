"""What a trace says beside its steps: releases, and the images that they were made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from pipelines.lineage.naming import Index
from pipelines.lineage.tracing.origins import Beginning
from pipelines.lineage.tracing.trace import TracedDataset, TracedRelease

_RELEASE = (
    "SELECT r.id, r.name, r.run, a.digest, r.state FROM release r JOIN artifact a "
    "ON a.id = r.artifact"
)

_NO_WINNER = "no winner"
"""How the empty release stands of a run in which nothing kept the budgets."""


class TraceFacts:
    """Asks the index for the releases and datasets of a trace.

    Args:
        index: Of the store.
        origin: Where the trace begins.
    """

    def __init__(self, index: Index, origin: Beginning) -> None:
        self._index = index
        self._image = bytes.fromhex(origin.sha256) if origin.images and origin.sha256 else None
        self._holders: list[int] = list(origin.artifacts)
        if origin.sha256:
            rows = index.execute(
                "SELECT artifact FROM file WHERE sha = ?", [bytes.fromhex(origin.sha256)]
            )
            self._holders += [row[0] for row in rows]

    def releases(self, reached: Iterable[int]) -> list[TracedRelease]:
        """Return the releases that the origin is or is in, that are reached, or know the image.

        Args:
            reached: Artifacts of the trace, in the index.
        """
        if self._image is not None:
            return self._of_image()
        found: dict[int, TracedRelease] = {}
        for artifact in dict.fromkeys([*self._holders, *reached]):
            for row in self._index.execute(f"{_RELEASE} WHERE r.artifact = ?", [artifact]):
                found[row[0]] = _release(row)
        return _sorted(found.values())

    def _of_image(self) -> list[TracedRelease]:
        """Return the releases whose datasets, or own sources, have the file, with its roles."""
        roles: dict[int, set[str]] = defaultdict(set)
        for dataset, fates in self._fates.items():
            for (release,) in self._index.execute(
                "SELECT release FROM release_dataset WHERE dataset = ?", [dataset]
            ):
                roles[release] |= set(fates.values())
        for release, name in self._index.execute(
            "SELECT DISTINCT s.release, n.name FROM page_file f JOIN source_page p "
            "ON p.page = f.page JOIN release_source s ON s.source = p.source "
            "JOIN release r ON r.id = s.release JOIN run u ON u.run = r.run "
            "JOIN run_source n ON n.run = u.id AND n.source = p.source WHERE f.sha = ?",
            [self._image],
        ):
            if release not in roles:  # no image of the data, but the user's own model, say
                roles[release].add(name)
        return _sorted(
            _release(row, sorted(roles[release]))
            for release in roles
            for row in self._index.execute(f"{_RELEASE} WHERE r.id = ?", [release])
        )

    def datasets(self, reached: Sequence[int], releases: Sequence[TracedRelease]) -> list[int]:
        """Return the datasets that releases were made of, or else those that are reached."""
        if self._image is not None:
            return sorted(self._fates)
        found = [
            row[0]
            for release in releases
            for row in self._index.execute(
                "SELECT d.dataset FROM release_dataset d JOIN release r ON r.id = d.release "
                "WHERE r.name = ? AND r.run = ? ORDER BY d.dataset",
                [release.name, release.run],
            )
        ]
        if found:
            return list(dict.fromkeys(found))
        direct = {row[0] for row in self._index.execute("SELECT DISTINCT artifact FROM dataset")}
        return [one for one in reached if one in direct]

    def dataset(self, artifact: int) -> TracedDataset:
        """Return what is known of the images of a dataset."""
        ((digest,),) = self._index.execute("SELECT digest FROM artifact WHERE id = ?", [artifact])
        sources = self._index.execute(
            "SELECT s.digest FROM dataset d JOIN source s ON s.id = d.source "
            "WHERE d.artifact = ? ORDER BY s.digest",
            [artifact],
        )
        source = next((bytes(row[0]).hex() for row in sources), None)
        fates: Mapping[str, str] = {}
        if self._image is not None:
            fates = self._fates.get(artifact, fates)
        return TracedDataset(bytes(digest).hex(), source, self.images(artifact), fates)

    def images(self, artifact: int) -> dict[str, int]:
        """Count the images of a dataset by their split, or the reason why they are in none."""
        counts: dict[str, int] = defaultdict(int)
        for split, status, count in self._index.execute(
            "SELECT split, status, n FROM images WHERE dataset = ?", [artifact]
        ):
            counts[split or status] += count
        return dict(sorted(counts.items()))

    @cached_property
    def _fates(self) -> Mapping[int, Mapping[str, str]]:
        """Return for each dataset that knows the file its names there and what became of each."""
        found: dict[int, dict[str, str]] = defaultdict(dict)
        for query in (
            "SELECT dataset, name, split, status FROM fate WHERE sha = ?1 OR pixels = ?1",
            "SELECT dataset, name, split, status FROM records WHERE sha = ?",
        ):
            for dataset, name, split, status in self._index.execute(query, [self._image]):
                before = found[dataset].get(name)
                fate = split or status
                found[dataset][name] = f"{before}, {fate}" if before else fate
        return found


def _release(row: Sequence[object], roles: Sequence[str] = ()) -> TracedRelease:
    _, name, run, digest, state = row
    assert isinstance(digest, bytes)
    return TracedRelease(str(name), str(run), digest.hex(), str(state or "unknown"), roles)


def _sorted(releases: Iterable[TracedRelease]) -> list[TracedRelease]:
    """Champions first, then the newest run."""
    found = [one for one in releases if one.state != _NO_WINNER]
    newest = sorted(found, key=lambda one: (one.name, one.run), reverse=True)
    return sorted(newest, key=lambda one: one.state != "champion")
