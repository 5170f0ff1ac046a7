"""What has changed between two listings of data, by content: what moved or is twice counts once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Protocol

from components.contract.source import SourceFile
from pipelines.triggers.amounts import Thresholds, told


class FileList(Protocol):
    """Data as it was listed."""

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files, those that cannot be read among them."""
        ...


@dataclass(frozen=True)
class Changes:
    """What differs.

    Attributes:
        added: Contents that are new, count.
        removed: Contents that are gone, count.
        before: Contents that there were, count.
        folders: Folders that hold files and did not before, which are classes or identities: count.
        files_before: Files that there were.
        files: Files that there are.
    """

    added: int
    removed: int
    before: int
    folders: int
    files_before: int
    files: int

    @property
    def share(self) -> float:
        """Share of the contents that is new or gone; above 1 where most is new."""
        return (self.added + self.removed) / max(1, self.before)

    @property
    def shrunk(self) -> float:
        """Share of the files that is gone, 0 where there are more."""
        return max(0.0, 1 - self.files / max(1, self.files_before))

    def __str__(self) -> str:
        words = [f"{self.added} new", f"{self.removed} gone"]
        if self.folders:
            words.append(f"{self.folders} new folders")
        return f"{', '.join(words)} of {self.before}"


@dataclass(frozen=True)
class Taken:
    """What reading the data has told.

    Attributes:
        digest: Of the snapshot.
        files: How many there are.
        changes: What differs from what was trained on; None where nothing was.
        run: Which run that was.
        trained: When it was launched, ISO 8601.
        withheld: So many of its files lie in folders that are being written, and are not compared.
    """

    digest: str
    files: int
    changes: Changes | None = None
    run: str = ""
    trained: str = ""
    withheld: int = 0


def changes(before: FileList, after: FileList) -> Changes:
    """Compare two listings; files that cannot be read count for nothing."""
    old, new = _contents(before), _contents(after)
    known = _folders(before)
    return Changes(
        added=len(new - old),
        removed=len(old - new),
        before=len(old),
        folders=len(_folders(after) - known),
        files_before=len(before.files),
        files=len(after.files),
    )


def reached(
    asked: Thresholds, found: Changes, trained: datetime, now: datetime
) -> tuple[bool, str]:
    """Say whether enough has changed, and how it stands with what is asked.

    Args:
        asked: What is enough.
        found: What has changed.
        trained: When the last training was launched.
        now: Now.

    Returns:
        Whether any threshold is reached, and a sentence.
    """
    if not found.added and not found.removed:
        return False, "moved or doubled files alone: the same images"
    if asked.any_change:
        return True, str(found)
    age_s = (now - trained).total_seconds()
    counted: list[tuple[bool, str]] = []
    if asked.images is not None:
        counted.append((found.added >= asked.images, f"{found.added} of {asked.images} images"))
    if asked.identities is not None:
        enough = found.folders >= asked.identities
        counted.append((enough, f"{found.folders} of {asked.identities} identities"))
    if asked.changed is not None:
        enough = found.share >= asked.changed
        counted.append((enough, f"{found.share:.1%} of {asked.changed:.1%} changed"))
    if asked.age_s is not None:
        enough = age_s >= asked.age_s
        counted.append((enough, f"{told(age_s)} of {told(asked.age_s)} old"))
    return any(enough for enough, _ in counted), ", ".join(words for _, words in counted)


def _contents(listed: FileList) -> set[str]:
    return {file.sha256 for file in listed.files if not file.fault}


def _folders(listed: FileList) -> set[str]:
    return {
        str(PurePosixPath(file.name).parent)
        for file in listed.files
        if not file.fault and "/" in file.name
    }
