"""What a search for an image, a file or a person could not look into, and what it cannot find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.naming import CHAMPION
from pipelines.lineage.sightings import Searched
from pipelines.runs.cluster_results import ELSEWHERE

_EXAMPLES_MAX = 3


def not_searched(index: OpenIndex, searched: Searched) -> Iterator[str]:
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
            "SELECT run FROM run WHERE engine = ? AND NOT whole ORDER BY run", (ELSEWHERE,)
        )
    ]
    if runs:
        others = " and others" if len(runs) > _EXAMPLES_MAX else ""
        shown = f"{', '.join(runs[:_EXAMPLES_MAX])}{others}"
        yield f"{len(runs)} runs of a cluster are not here yet: {shown} (slimline sync)"
    (damaged,) = index.one("SELECT count(*) FROM problem") or (0,)
    if damaged:
        yield f"{damaged} values of the store are missing or damaged (slimline verify names them)"


def unsearched_champions(index: OpenIndex, searched: Searched) -> Iterator[str]:
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


def not_found_by(searched: Searched) -> Sequence[str]:
    """Say what such a search cannot find, whatever the store holds."""
    if searched.identity is not None:
        return ("images of a person under another name, or among those of others",)
    found = [
        "what was cut, scaled, turned or compressed anew before slimline read it: your own crops",
        "what a teacher made elsewhere was trained on",
    ]
    if not searched.pixels:
        found.insert(0, "the same picture in other bytes: give the file itself, not its sha256")
    return found
