"""Where a trace begins: what was named, as artifacts, a step or a file that the index knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.contract.errors import UserError
from pipelines.lineage.naming import (
    SHOWN,
    DigestNamed,
    FileNamed,
    Index,
    Named,
    ReleaseNamed,
    RunNamed,
    StepNamed,
)
from pipelines.lineage.tracing.neighbours import IndexedExecution, Neighbours


@dataclass(frozen=True)
class Beginning:
    """What was asked about.

    Attributes:
        what: In words.
        neighbours: Asks for what lies next to it.
        artifacts: That it is, or that hold the file, in the index; those that were made of another
            one of these are left out: the way down leads to them.
        step: The step that it is, or None.
        sha256: Of the file that it is, or None.
        names: Of the file, in artifacts and in the user's data.
        images: Whether it is a file of the user's data.
    """

    what: str
    neighbours: Neighbours
    artifacts: Sequence[int] = ()
    step: IndexedExecution | None = None
    sha256: str | None = None
    names: Sequence[str] = ()
    images: bool = False


def origin_of(index: Index, named: Named) -> Beginning:
    """Return where the trace of what was named begins.

    Raises:
        UserError: The index knows nothing of it.
    """
    match named:
        case RunNamed(run=run):
            neighbours = Neighbours(index, run)
            results = neighbours.results(run)
            if not results:
                raise UserError(
                    f"run {run} has made nothing yet that could be traced", f"slimline show {run}"
                )
            return Beginning(f"run {run}", neighbours, results)
        case StepNamed(run=run, step=step):
            neighbours = Neighbours(index, run)
            execution = neighbours.step(run, step)
            if execution is None:
                raise UserError(
                    f"no record tells of an execution of {step} in run {run}",
                    f"slimline show {run}",
                )
            return Beginning(f"step {step} of run {run}", neighbours, step=execution)
        case ReleaseNamed(name=name, run=run, release=release):
            what = f"release {release[:SHOWN]} of {name}"
            return Beginning(what, Neighbours(index, run), [_known(index, release, str(named))])
        case DigestNamed(digest=digest):
            return _of_digest(index, digest, digest[:SHOWN])
        case FileNamed(sha256=sha256):
            return _of_digest(index, sha256, f"file {named.path} ({sha256[:SHOWN]})")


def _known(index: Index, digest: str, what: str) -> int:
    for (artifact,) in index.execute(
        "SELECT id FROM artifact WHERE digest = ?", [bytes.fromhex(digest)]
    ):
        return artifact
    raise _unknown(what)


def _unknown(what: str) -> UserError:
    return UserError(
        f"no record of this store names {what}",
        "name the store of the run that read or made it with --store PLACE; an image that was "
        "converted or cropped has other bytes: name the file as it was when slimline read it; of "
        "what was erased slimline affected tells",
    )


def _of_digest(index: Index, digest: str, what: str) -> Beginning:
    """Find an artifact, a file in artifacts, or a file of the user's data by its digest."""
    neighbours, sha = Neighbours(index), bytes.fromhex(digest)
    found = [row[0] for row in index.execute("SELECT id FROM artifact WHERE digest = ?", [sha])]
    if found:
        return Beginning(what, neighbours, found)
    held = list(index.execute("SELECT artifact, path FROM file WHERE sha = ? ORDER BY path", [sha]))
    data = _in_data(index, sha)
    if not held and not data:
        raise _unknown(what)
    holders = _earliest(neighbours, [row[0] for row in held])
    names = sorted({*(row[1] for row in held), *(name for _, name in data)})
    artifacts = list(dict.fromkeys([*(source for source, _ in data), *holders]))
    return Beginning(what, neighbours, artifacts, sha256=digest, names=names, images=bool(data))


_LISTED = (
    "SELECT DISTINCT p.source, f.name FROM page_file f JOIN source_page p ON p.page = f.page "
    "WHERE f.sha = ?"
)
_DATA = (
    _LISTED,
    *(
        f"SELECT DISTINCT d.source, f.name FROM {table} f "  # noqa: S608 names of our own
        f"JOIN dataset d ON d.artifact = f.dataset WHERE f.{column} = ?"
        for table, column in (("fate", "sha"), ("fate", "pixels"), ("records", "sha"))
    ),
)


def _in_data(index: Index, sha: bytes) -> list[tuple[int, str]]:
    """Return the sources that have a file of these bytes, or an image of these pixels.

    Sources of earlier versions keep no listing; of those the manifests of the datasets tell.
    """
    found = {
        (source, name)
        for query in _DATA
        for source, name in index.execute(query, [sha])
        if source is not None
    }
    return sorted(found)


def _earliest(neighbours: Neighbours, holders: Sequence[int]) -> list[int]:
    """Leave out artifacts that were made of another one which holds the same file."""
    every = set(holders)
    return [
        artifact
        for artifact in sorted(every)
        if not any(
            used in every and used != artifact
            for maker in neighbours.makers(artifact)[0]
            for _, used in neighbours.used(maker)
        )
    ] or sorted(every)
