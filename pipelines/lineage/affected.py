"""Which releases an image, a file or a person is in: by bytes, by what is shown, by name.

Nothing is followed here: manifests lead to datasets, and each release has its datasets noted, so an
image that is in everything is answered as quickly as one that is in nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.exclusions import identity_digest

CHAMPION = "champion"
_EXAMPLES_MAX = 3
_LISTED_MAX = 20
_CLUSTER = "kubeflow"


@dataclass(frozen=True)
class Searched:
    """What is looked for.

    Attributes:
        sha256: Of a file's bytes.
        pixels: Digests of what the file shows, one for each way in which ingests decoded images.
        identity: Name of a person or class.
    """

    sha256: str | None = None
    pixels: tuple[str, ...] = ()
    identity: str | None = None


@dataclass(frozen=True)
class AffectedRelease:
    """A release that was made with what is looked for.

    Attributes:
        name: Of the releases.
        run: The run that published it.
        release: Its tree digest.
        state: ``champion``, ``candidate``, ``past``, ``older``, ``rolled back``,
            ``unqualified`` or ``no winner``; ``unknown`` where its manifest cannot be read.
        roles: How many images had which role: ``train``, ``validation``, ``selection``,
            ``sealed``, ``pairs``; of another file the name of its source, such as ``model``;
            ``data`` where no manifest tells more.
    """

    name: str
    run: str
    release: str
    state: str
    roles: Mapping[str, int]


@dataclass(frozen=True)
class FoundImage:
    """Where what is looked for was found.

    Attributes:
        dataset: Tree digest of the Dataset.
        name: The image in it.
        status: ``used``, ``duplicate``, ``quarantined`` or ``unused``.
        role: Its role, or that of the image that stood for it; empty where it is not used.
        stands_for: The image that stood for it, or empty.
        by: ``bytes``, ``pixels`` or ``name``.
    """

    dataset: str
    name: str
    status: str
    role: str
    stands_for: str
    by: str


@dataclass(frozen=True)
class Answer:
    """The answer.

    Attributes:
        releases: Champions first, then by name, newest first.
        found: Where it was found; some where there are many.
        sightings: How many there are.
        unused: How many images were found that no model was made of: quarantined or left out.
        not_searched: What may hold it and could not be looked into, each a sentence.
        unsearched_champions: Champions of whose data some could not be looked into, as
            ``NAME of run RUN``: of these nobody can tell.
        not_found_by: What such a search cannot find at all, each a sentence.
    """

    releases: tuple[AffectedRelease, ...]
    found: tuple[FoundImage, ...]
    sightings: int
    unused: int
    not_searched: tuple[str, ...]
    unsearched_champions: tuple[str, ...]
    not_found_by: tuple[str, ...]

    @property
    def champions(self) -> tuple[AffectedRelease, ...]:
        """The champions among the releases."""
        return tuple(one for one in self.releases if one.state == CHAMPION)


@dataclass
class _Hits:
    """What was found so far.

    Attributes:
        roles: By dataset, how many images had which role.
        found: Sightings, as many as are shown.
        sightings: How many there are.
        unused: How many of them no model was made of.
    """

    roles: dict[int, Counter[str]] = field(
        default_factory=lambda: defaultdict[int, Counter[str]](Counter)
    )
    found: list[FoundImage] = field(default_factory=list[FoundImage])
    sightings: int = 0
    unused: int = 0

    def add(self, dataset: int, sighting: FoundImage, count: int = 1) -> None:
        if sighting.role:
            self.roles[dataset][sighting.role] += count
        else:
            self.unused += count
        self.sightings += count
        if len(self.found) < _LISTED_MAX:
            self.found.append(sighting)


def decodings(index: OpenIndex) -> list[dict[str, object]]:
    """Return in which ways the ingests of a store decoded images: parameters of each."""
    rows = index.execute("SELECT DISTINCT settings FROM decoding ORDER BY settings")
    return [json.loads(settings) for (settings,) in rows]


def affected(index: OpenIndex, searched: Searched) -> Answer:
    """Answer which releases were made with something.

    Args:
        index: Of the store.
        searched: What is looked for; bytes and pixels may be given together.
    """
    hits = _Hits()
    for dataset, sighting, count in _sightings(index, searched):
        hits.add(dataset, sighting, count)
    releases = _releases_of(index, hits.roles)
    if searched.sha256:
        _add_sources(index, bytes.fromhex(searched.sha256), releases)
    ordered = sorted(releases.values(), key=lambda one: one.run, reverse=True)
    ordered.sort(key=lambda one: (one.state != CHAMPION, one.name))
    return Answer(
        releases=tuple(ordered),
        found=tuple(hits.found),
        sightings=hits.sightings,
        unused=hits.unused,
        not_searched=tuple(_not_searched(index, searched)),
        unsearched_champions=tuple(_unsearched_champions(index, searched)),
        not_found_by=tuple(_not_found_by(searched)),
    )


# where it is ------------------------------------------------------------------------------------

_FATE = (
    "SELECT fate.dataset, artifact.digest, fate.name, fate.status, fate.split, fate.duplicate_of,"
    " leader.split FROM fate JOIN artifact ON artifact.id = fate.dataset"
    " LEFT JOIN fate AS leader ON leader.dataset = fate.dataset"
    " AND leader.name = fate.duplicate_of WHERE "
)
_BY = {
    "bytes": "fate.sha = ?",
    "pixels": "fate.pixels = ?",
    "name": "fate.label IN (SELECT label FROM label WHERE identity = ?)",
}


def _sightings(index: OpenIndex, searched: Searched) -> Iterator[tuple[int, FoundImage, int]]:
    """Yield dataset, sighting and count, each image once, however it was found."""
    seen: set[tuple[int, str]] = set()
    for by, value in _values(searched):
        rows = index.execute(_FATE + _BY[by], (value,))
        for dataset, digest, name, status, split, duplicate_of, leading in rows:
            if (dataset, name) in seen:
                continue
            seen.add((dataset, name))
            role = (leading if status == "duplicate" else split if status == "used" else "") or ""
            sighting = FoundImage(digest.hex(), name, status, role, duplicate_of or "", by)
            yield dataset, sighting, 1
    if searched.sha256:
        yield from _files_of_records(index, bytes.fromhex(searched.sha256))


def _values(searched: Searched) -> Iterator[tuple[str, bytes]]:
    if searched.sha256:
        yield "bytes", bytes.fromhex(searched.sha256)
    for pixels in searched.pixels:
        yield "pixels", bytes.fromhex(pixels)
    if searched.identity is not None:
        yield "name", bytes.fromhex(identity_digest(searched.identity))


def _files_of_records(index: OpenIndex, sha: bytes) -> Iterator[tuple[int, FoundImage, int]]:
    rows = index.execute(
        "SELECT records.dataset, artifact.digest, name, split, status, n FROM records"
        " JOIN artifact ON artifact.id = records.dataset WHERE sha = ?",
        (sha,),
    )
    for dataset, digest, name, split, status, count in rows:
        if status != "duplicate":
            role = split if status == "used" else ""
            yield dataset, FoundImage(digest.hex(), name, status, role, "", "bytes"), count
            continue
        for role, many in _leaders(index, dataset, name):
            yield dataset, FoundImage(digest.hex(), name, status, role, "", "bytes"), many


def _leaders(index: OpenIndex, dataset: int, file: str) -> Iterable[tuple[str, int]]:
    """Return in which splits the images are that stand for duplicates among a file's records."""
    return [
        (split or "", count)
        for split, count in index.execute(
            "SELECT leader.split, count(*) FROM fate JOIN fate AS leader"
            " ON leader.dataset = fate.dataset AND leader.name = fate.duplicate_of"
            " WHERE fate.dataset = ? AND fate.name >= ? AND fate.name < ?"
            " AND fate.duplicate_of IS NOT NULL GROUP BY leader.split",
            (dataset, f"{file}#", f"{file}$"),  # "$" is the character after "#"
        )
    ]


# what was made of it ----------------------------------------------------------------------------


def _releases_of(index: OpenIndex, roles: Mapping[int, Counter[str]]) -> dict[int, AffectedRelease]:
    """Return by identifier the releases that were made of these datasets.

    An open Dataset names the sealed images too, and the sealed one names them again: the larger
    count is theirs.
    """
    rows = index.execute(
        "SELECT release.id, release.name, release.run, artifact.digest, release.state,"
        " group_concat(release_dataset.dataset) FROM json_each(?) AS given"
        " JOIN release_dataset ON release_dataset.dataset = given.value"
        " JOIN release ON release.id = release_dataset.release"
        " JOIN artifact ON artifact.id = release.artifact GROUP BY release.id",
        (json.dumps(list(roles)),),
    )
    merged: dict[str, Mapping[str, int]] = {}  # the same for very many releases

    def roles_of(datasets: str) -> Mapping[str, int]:
        if datasets not in merged:
            counts: Counter[str] = Counter()
            for dataset in datasets.split(","):
                counts |= roles[int(dataset)]
            merged[datasets] = dict(counts)
        return merged[datasets]

    return {
        identifier: AffectedRelease(name, run, digest.hex(), state, roles_of(datasets))
        for identifier, name, run, digest, state, datasets in rows
    }


_RELEASE = (
    "SELECT DISTINCT release.id, release.name, release.run, artifact.digest, release.state,"
    " coalesce(run_source.name, 'data') FROM page_file"
    " JOIN source_page ON source_page.page = page_file.page {0}"
    " JOIN artifact ON artifact.id = release.artifact LEFT JOIN run ON run.run = release.run"
    " LEFT JOIN run_source ON run_source.run = run.id"
    " AND run_source.source = source_page.source WHERE page_file.sha = ?"
)
_BY_LISTING = (
    # Data whose manifest cannot be read.
    _RELEASE.format(
        "JOIN dataset ON dataset.source = source_page.source"
        " JOIN manifest ON manifest.dataset = dataset.artifact AND manifest.state != 'read'"
        " JOIN release_dataset ON release_dataset.dataset = dataset.artifact"
        # Two sources may have made equal bytes, as of their sealed images.
        " JOIN release_source ON release_source.release = release_dataset.release"
        " AND release_source.source = source_page.source"
        " JOIN release ON release.id = release_dataset.release"
    ),
    # What never became a dataset: a teacher's model, weights, pairs.
    _RELEASE.format(
        "JOIN release_source ON release_source.source = source_page.source"
        " AND NOT EXISTS (SELECT 1 FROM dataset WHERE dataset.source = source_page.source)"
        " JOIN release ON release.id = release_source.release"
    ),
)


def _add_sources(index: OpenIndex, sha: bytes, releases: dict[int, AffectedRelease]) -> None:
    """Add releases by the listings of their sources, where no manifest tells of the file.

    So a teacher's model is found, and data whose manifest is gone, damaged or in a cluster.
    """
    known = set(releases)
    for sql in _BY_LISTING:
        for identifier, name, run, digest, state, role in index.execute(sql, (sha,)):
            if identifier in known:
                continue
            before = releases.get(identifier)
            roles = {**(before.roles if before else {}), role: 1}
            releases[identifier] = AffectedRelease(name, run, digest.hex(), state, roles)


# what cannot be found ---------------------------------------------------------------------------


def _not_searched(index: OpenIndex, searched: Searched) -> Iterator[str]:
    """Say what could not be looked into."""
    unread = {
        "absent": "", "missing": "the store does not hold it", "damaged": "it is damaged",
        "erased": "it was collected or erased", "elsewhere": "it is in the bucket of a cluster "
        "(slimline sync brings it home)",
    }  # fmt: skip
    for state, count, some in index.execute(
        "SELECT state, count(*), min(hex(artifact.digest)) FROM manifest"
        " JOIN artifact ON artifact.id = manifest.dataset WHERE state != 'read' GROUP BY state"
        " ORDER BY state"
    ):
        yield (
            f"{count} {'dataset has' if count == 1 else 'datasets have'} no manifest here, such as "
            f"{some[:8].lower()}: {unread.get(state, state)}"
        )
    if searched.pixels or searched.identity is not None:
        (count,) = index.one("SELECT count(*) FROM manifest WHERE pixels = 0") or (0,)
        what = "what their images show" if searched.pixels else "whom their images show"
        if count:
            yield (
                f"{count} {'dataset' if count == 1 else 'datasets'} of earlier versions do not say "
                f"{what}: only the bytes of their files can be found"
            )
    runs = [
        run
        for (run,) in index.execute(
            "SELECT run FROM run WHERE engine = ? AND NOT whole ORDER BY run", (_CLUSTER,)
        )
    ]
    if runs:
        shown = ", ".join(runs[:_EXAMPLES_MAX]) + (" and others" if len(runs) > 3 else "")
        yield f"{len(runs)} runs of a cluster are not here yet: {shown} (slimline sync)"
    (damaged,) = index.one("SELECT count(*) FROM problem") or (0,)
    if damaged:
        yield f"{damaged} values of the store are missing or damaged (slimline verify names them)"


def _unsearched_champions(index: OpenIndex, searched: Searched) -> Iterator[str]:
    """Name each champion of which nobody can tell; bytes are found by listings in any case."""
    if not searched.pixels and searched.identity is None:
        return
    for name, run in index.execute(
        "SELECT DISTINCT release.name, release.run FROM release"
        " JOIN release_dataset ON release_dataset.release = release.id"
        " JOIN manifest ON manifest.dataset = release_dataset.dataset"
        " WHERE release.state = ? AND (manifest.state != 'read' OR manifest.pixels = 0)"
        " ORDER BY release.name, release.run",
        (CHAMPION,),
    ):
        yield f"{name} of run {run}"


def _not_found_by(searched: Searched) -> Sequence[str]:
    """Say what such a search cannot find, whatever the store holds."""
    if searched.identity is not None:
        return ("images of a person under another name, or among those of others",)
    found = [
        "what was cut, scaled, turned or compressed anew before slimline read it: your own crops",
        "what a teacher made elsewhere was trained on",
    ]
    if not searched.pixels:
        found.insert(0, "the same image in other bytes: give the file itself, not its sha256")
    return found
