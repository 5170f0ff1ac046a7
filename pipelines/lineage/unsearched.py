"""What a search for an image, a file or a person could not look into, and what it cannot find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.index.values import WHY_UNREAD
from pipelines.lineage.naming import CHAMPION
from pipelines.lineage.sightings import Searched, matched_by
from pipelines.runs.kept.cluster_results import ELSEWHERE
from pipelines.runs.removal.erasures import Erasure

_EXAMPLES_MAX = 3


def not_searched(
    index: OpenIndex, searched: Searched, erasures: Sequence[Erasure]
) -> Iterator[str]:
    """Say what could not be looked into."""
    for state, count, some in index.execute(
        "SELECT state, count(*), min(hex(artifact.digest)) FROM manifest"
        " JOIN artifact ON artifact.id = manifest.dataset WHERE state != 'read' GROUP BY state"
        " ORDER BY state"
    ):
        yield (
            f"{count} {'dataset has' if count == 1 else 'datasets have'} no manifest here, such as "
            f"{some[:8].lower()}: {WHY_UNREAD.get(state, state)}"
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
            "SELECT run FROM run WHERE engine IN (?, ?) AND NOT whole ORDER BY run", ELSEWHERE
        )
    ]
    if runs:
        others = " and others" if len(runs) > _EXAMPLES_MAX else ""
        shown = f"{', '.join(runs[:_EXAMPLES_MAX])}{others}"
        are = "run of a cluster is" if len(runs) == 1 else "runs of a cluster are"
        yield f"{len(runs)} {are} not here yet: {shown} (slimline sync)"
    (damaged,) = index.one("SELECT count(*) FROM problem") or (0,)
    if damaged:
        are = "value of the store is" if damaged == 1 else "values of the store are"
        yield f"{damaged} {are} missing or damaged (slimline verify tells more)"
    for erasure in erasures:
        matched = matched_by(erasure, searched)
        if matched and matched[1] != erasure.digest:
            yield (
                f"the erasure {erasure.id} took it with other images: which of their datasets held "
                "it is not known any more"
            )


_UNREAD = (
    "manifest.state IS NOT 'read' AND NOT EXISTS (SELECT 1 FROM dataset"
    " JOIN source ON source.id = dataset.source WHERE dataset.artifact = release_dataset.dataset"
    " AND source.state = 'read' AND NOT EXISTS (SELECT 1 FROM source_page"
    " JOIN page ON page.id = source_page.page"
    " WHERE source_page.source = source.id AND page.state IS NOT 'read'))"
)
"""Neither the manifest of a dataset nor the listing of its source says which files it is of."""


def unsearched_champions(index: OpenIndex, searched: Searched) -> Iterator[str]:
    """Name each champion of which nobody can tell: bytes are found by listings of sources, too."""
    by_bytes = not searched.pixels and searched.identity is None
    doubtful = _UNREAD if by_bytes else "(manifest.state IS NOT 'read' OR manifest.pixels = 0)"
    for name, run in index.execute(
        "SELECT DISTINCT release.name, release.run FROM release"  # noqa: S608 conditions of our own
        " LEFT JOIN release_dataset ON release_dataset.release = release.id"
        " LEFT JOIN manifest ON manifest.dataset = release_dataset.dataset"
        f" WHERE release.state = ? AND {doubtful} ORDER BY release.name, release.run",
        (CHAMPION,),
    ):
        yield f"{name} of run {run}"


def not_found_by(searched: Searched) -> Sequence[str]:
    """Say what such a search cannot find, whatever the store holds."""
    if searched.identity is not None:
        return ("images of a person under another name, or among those of others",)
    found = [
        "what was cut, scaled, turned or compressed anew before slimline read it: your own crops",
        "what a teacher made elsewhere was trained on",
    ]
    if not searched.pixels and not searched.at_hand:
        found.insert(0, "the same image in other bytes: give the file itself, not its sha256")
    return found
