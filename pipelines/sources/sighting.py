"""A look at data: whether anything was written, without reading any of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.sources.snapshot import listed_files


@dataclass(frozen=True)
class Look:
    """A listing of data.

    Attributes:
        digest: Of names and states: another one when anything was written, removed or renamed.
        files: How many there are.
        marked: Whether the marker that was asked for is there and newer than all else.
    """

    digest: str
    files: int
    marked: bool


def sight(data: str, marker: str | None = None) -> Look:
    """Look at the user's data.

    Args:
        data: Where it is: see ``snapshot``.
        marker: Name of a file beside the data that says that an upload is whole.

    Raises:
        UserError: There is nothing, or it cannot be listed.
    """
    place = listed_files(data)
    return Look(place.fingerprint, len(place.names), place.marked(marker) if marker else False)
