"""The user's own files, listed and hashed again where they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.contract.errors import UserError
from components.contract.source import SourceFile
from pipelines.lineage.proof.links import Fault, Link
from pipelines.lineage.proof.sources import SourceListing
from pipelines.sources.snapshot import Snapshot, snapshot_of

_NAMED = 5
"""How many files are named one by one."""

Place = str | tuple[str, ...]


def files_link(name: str, digest: str, place: Place | None, listing: SourceListing | None) -> Link:
    """Hash the user's files again, and compare them with what the run was made of.

    Args:
        name: Of the source.
        digest: Of it.
        place: Where the files are now; None where the run does not say where they were.
        listing: The list of the source; None where there is none, then the digest alone tells.
    """
    called = f"files of {name}"
    fix = f"--source {name}=PLACE says where they are"
    if place is None:
        what = f"not looked at: nothing here says where they lie; {fix}"
        return Link(called, digest, "", (Fault(f"source {name}", "unproved", what),))
    where = place if isinstance(place, str) else ", ".join(place)
    try:
        taken = snapshot_of(name, place)
    except UserError as error:
        what = f"cannot be looked at: {error.what}; {fix}"
        return Link(called, digest, "", (Fault(where, "missing", what),))
    said = f"{len(taken.files):,} files at {where}, every byte"
    if taken.digest == digest:
        return Link(called, digest, said)
    if listing is None:
        what = f"has the digest {taken.digest[:16]}, and the run used {digest[:16]}; {fix}"
        return Link(called, digest, said, (Fault(where, "changed", what),))
    faults, added = _compare(where, listing.files, taken)
    if not faults and added:
        said += f"; {added:,} of them were added since"
    elif not faults:
        what = f"is read as {taken.format}, and the run read it as {listing.format}"
        faults = [Fault(where, "changed", what)]
    return Link(called, digest, said, tuple(faults))


def _compare(where: str, listed: Sequence[SourceFile], taken: Snapshot) -> tuple[list[Fault], int]:
    """Return what is no longer as it was, and how many files are new."""
    now = {file.name: file for file in taken.files}
    names = {file.sha256: file.name for file in taken.files if file.sha256}
    faults = [fault for file in listed if (fault := _fault(where, file, now.get(file.name), names))]
    if len(faults) > _NAMED:
        more = len(faults) - _NAMED
        faults = [*faults[:_NAMED], Fault(where, "changed", f"has {more:,} more such files")]
    return faults, len(now.keys() - {file.name for file in listed})


def _fault(
    where: str, file: SourceFile, now: SourceFile | None, names: Mapping[str, str]
) -> Fault | None:
    place = f"{where}/{file.name}"
    if now is None:
        if moved := names.get(file.sha256):
            return Fault(place, "changed", f"lies at {moved} now")
        return Fault(place, "missing", "is not there any more")
    if (now.size_bytes, now.sha256) != (file.size_bytes, file.sha256):
        reason = f" ({now.fault})" if now.fault else ""
        return Fault(place, "changed", f"holds other bytes than the run read{reason}")
    if (now.link, now.fault) != (file.link, file.fault):
        return Fault(place, "changed", "is a link, or cannot be read, unlike then")
    return None
