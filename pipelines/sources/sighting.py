"""A look at data: whether anything was written, without reading any of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.sources.snapshot import listed_files, listed_folders
from pipelines.sources.together import Files


@dataclass(frozen=True)
class Look:
    """A listing of data.

    Attributes:
        digest: Of names and states: another one when anything was written, removed or renamed.
        files: How many there are.
        marked: Whether the marker that was asked for is there and newer than all else.
        place: What was listed.
    """

    digest: str
    files: int
    marked: bool
    place: Files = field(compare=False, repr=False)

    def within(self, folders: frozenset[str]) -> Look:
        """Return what this look has seen in these folders themselves; there may be nothing."""
        part = self.place.within(folders)
        return Look(part.fingerprint, len(part.names), self.marked, part)

    def added_to(self, before: str, names: frozenset[str]) -> bool:
        """Whether files were added to a listing, and nothing of it was written or removed.

        Args:
            before: The digest of that listing.
            names: Of its files.
        """
        return self.digest != before and self.place.fingerprint_of(names) == before


def sight(data: str, marker: str | None = None) -> Look:
    """Look at the user's data.

    Args:
        data: Where it is: see ``snapshot``.
        marker: Name of a file beside the data that says that an upload is whole.

    Raises:
        UserError: There is nothing, or it cannot be listed.
    """
    place = listed_files(data)
    marked = place.marked(marker) if marker else False
    return Look(place.fingerprint, len(place.names), marked, place)


def sight_folders(data: str) -> Look:
    """Look at the user's data, of which each folder of images is whole by itself.

    Args:
        data: Where it is: see ``snapshot``.

    Raises:
        UserError: There is nothing, it cannot be listed, or it is no folders of images.
    """
    place = listed_folders(data)
    return Look(place.fingerprint, len(place.names), marked=False, place=place)
