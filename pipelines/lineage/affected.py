"""Which releases an image, a file or a person is in: by bytes, by what is shown, by name.

Nothing is followed here: manifests lead to datasets, and each release has its datasets noted, so an
image that is in everything is answered as quickly as one that is in nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.naming import CHAMPION
from pipelines.lineage.sightings import FoundImage, Searched, sightings_of
from pipelines.lineage.unsearched import not_found_by, not_searched, unsearched_champions
from pipelines.runs.removal.erasures import Erasure

_LISTED_MAX = 20


@dataclass(frozen=True, slots=True)
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
            ``data`` where no manifest tells more; ``erased`` of what was erased since, at least.
    """

    name: str
    run: str
    release: str
    state: str
    roles: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """The answer.

    Attributes:
        releases: Champions first, then by name, newest first.
        found: Where it was found; some where there are many, those with a role first.
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
        found: Sightings of what models were made of, as many as are shown.
        left: The same of what none was made of.
        sightings: How many there are.
        unused: How many of them no model was made of.
    """

    roles: dict[int, Counter[str]] = field(
        default_factory=lambda: defaultdict[int, Counter[str]](Counter)
    )
    found: list[FoundImage] = field(default_factory=list[FoundImage])
    left: list[FoundImage] = field(default_factory=list[FoundImage])
    sightings: int = 0
    unused: int = 0

    def add(self, dataset: int, sighting: FoundImage, count: int = 1) -> None:
        if sighting.role:
            self.roles[dataset][sighting.role] += count
        else:
            self.unused += count
        self.sightings += count
        listed = self.found if sighting.role else self.left
        if len(listed) < _LISTED_MAX:
            listed.append(sighting)


def affected(index: OpenIndex, searched: Searched, erasures: Sequence[Erasure] = ()) -> Answer:
    """Answer which releases were made with something.

    Args:
        index: Of the store.
        searched: What is looked for; bytes and pixels may be given together.
        erasures: Of the store: a release stays made of what was erased since.
    """
    return first_affected(index, searched, erasures, None)[0]


def first_affected(
    index: OpenIndex, searched: Searched, erasures: Sequence[Erasure], most: int | None
) -> tuple[Answer, int]:
    """Do as ``affected``, and return with it how many releases there are.

    Who is in everything is in every release: to look up some of very many takes far less long.

    Args:
        index: See there.
        searched: See there.
        erasures: See there.
        most: So many releases are in the answer, or all champions where these are more; None: all.
    """
    hits = _Hits()
    for dataset, sighting, count in sightings_of(index, searched, erasures):
        hits.add(dataset, sighting, count)
    given = json.dumps(list(hits.roles))
    releases = _releases_of(index, hits.roles, given, most)
    (number,) = index.one(_COUNTED, (given,)) or (0,)
    if searched.sha256:
        known = {identifier for (identifier,) in index.execute(_KNOWN, (given,))}
        number += _add_sources(index, bytes.fromhex(searched.sha256), releases, known)
    ordered = sorted(releases.values(), key=attrgetter("run"), reverse=True)
    ordered.sort(key=attrgetter("name"))
    ordered.sort(key=lambda one: one.state != CHAMPION)
    if most is not None:
        ordered = ordered[: max(most, sum(one.state == CHAMPION for one in ordered))]
    answer = Answer(
        releases=tuple(ordered),
        found=tuple([*hits.found, *hits.left][:_LISTED_MAX]),
        sightings=hits.sightings,
        unused=hits.unused,
        not_searched=tuple(not_searched(index, searched, erasures)),
        unsearched_champions=tuple(unsearched_champions(index, searched)),
        not_found_by=tuple(not_found_by(searched)),
    )
    return answer, number


# what was made of it ----------------------------------------------------------------------------

_HIT = (
    "WITH hit (id) AS MATERIALIZED (SELECT DISTINCT release_dataset.release FROM json_each(?)"
    " AS given CROSS JOIN release_dataset ON release_dataset.dataset = given.value)"
)
"""The releases that were made of some datasets."""
_COUNTED = _HIT + " SELECT count(*) FROM hit"  # noqa: S608 text of our own
_KNOWN = _HIT + " SELECT id FROM hit"  # noqa: S608 text of our own
_EACH = _HIT + (  # noqa: S608 text of our own
    " SELECT release.id, release.name, release.run, artifact.digest, release.state FROM hit"
    " CROSS JOIN release ON release.id = hit.id"
    " CROSS JOIN artifact ON artifact.id = release.artifact"
)
_FIRST = _HIT + (  # noqa: S608 text of our own
    ", first AS (SELECT release.id, release.name, release.run, release.artifact, release.state"
    " FROM hit CROSS JOIN release ON release.id = hit.id"
    " ORDER BY release.state IS NOT 'champion', release.name, release.run DESC LIMIT max(?,"
    " (SELECT count(*) FROM hit CROSS JOIN release ON release.id = hit.id"
    " WHERE release.state = 'champion')))"
    " SELECT first.id, first.name, first.run, artifact.digest, first.state FROM first"
    " CROSS JOIN artifact ON artifact.id = first.artifact"
)


def _releases_of(
    index: OpenIndex, roles: Mapping[int, Counter[str]], given: str, most: int | None
) -> dict[int, AffectedRelease]:
    """Return by identifier the first releases that were made of these datasets.

    An open Dataset names the sealed images too, and the sealed one names them again: the larger
    count is theirs.
    """
    asked = (_EACH, (given,)) if most is None else (_FIRST, (given, most))
    facts = {
        identifier: (name, run, digest, state)
        for identifier, name, run, digest, state in index.execute(*asked)
    }
    made_of: dict[int, tuple[int, ...]] = {}
    for identifier, dataset in index.execute(
        "SELECT release, dataset FROM json_each(?) AS given"
        " CROSS JOIN release_dataset ON release_dataset.release = given.value",
        (json.dumps(list(facts)),),
    ):
        if dataset in roles:
            made_of[identifier] = (*made_of.get(identifier, ()), dataset)
    merged: dict[tuple[int, ...], Mapping[str, int]] = {}  # the same for very many releases

    def roles_of(datasets: tuple[int, ...]) -> Mapping[str, int]:
        if datasets not in merged:
            counts: Counter[str] = Counter()
            for dataset in datasets:
                counts |= roles[dataset]
            merged[datasets] = dict(counts)
        return merged[datasets]

    return {
        identifier: AffectedRelease(name, run, digest.hex(), state, roles_of(made_of[identifier]))
        for identifier, (name, run, digest, state) in facts.items()
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
    # Data whose manifest cannot be read. Few are: CROSS JOIN keeps the planner from beginning with
    # the releases of each source, of which there may be very many.
    _RELEASE.format(
        "CROSS JOIN dataset ON dataset.source = source_page.source"
        " CROSS JOIN manifest ON manifest.dataset = dataset.artifact AND manifest.state != 'read'"
        " CROSS JOIN release_dataset ON release_dataset.dataset = dataset.artifact"
        # Two sources may have made equal bytes, as of their sealed images.
        " CROSS JOIN release_source ON release_source.release = release_dataset.release"
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


def _add_sources(
    index: OpenIndex, sha: bytes, releases: dict[int, AffectedRelease], known: Collection[int]
) -> int:
    """Add releases by the listings of their sources, where no manifest tells of the file.

    So a teacher's model is found, and data whose manifest is gone, damaged or in a cluster.

    Returns:
        How many there are that are not among the known ones.
    """
    added: set[int] = set()
    for sql in _BY_LISTING:
        for identifier, name, run, digest, state, role in index.execute(sql, (sha,)):
            if identifier in known:
                continue
            added.add(identifier)
            before = releases.get(identifier)
            roles = {**(before.roles if before else {}), role: 1}
            releases[identifier] = AffectedRelease(name, run, digest.hex(), state, roles)
    return len(added)
