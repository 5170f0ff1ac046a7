"""What a watch has seen of its data: whether somebody still writes it.

A listing says names, lengths and states of all files and reads none. Data is *quiet* when its
listing was the same at three looks at least, over the whole of the time that is asked, or as soon
as a marker lies there that is newer than all beside it. Quiet is a guess, a marker is not.

Between looks of several processes the clock of the machine counts; one that went back starts the
time over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipelines.triggers.changes import Taken
from pipelines.triggers.settings import WatchSettings

LOOKS = 3
"""The same listing so often, at least: two may fall between two files of an upload."""


PERIODS = 3
"""What is added within so many quiet periods belongs to the same upload."""


class Sighted(Protocol):
    """A listing of data: see ``pipelines.sources.sighting``."""

    @property
    def digest(self) -> str:
        """Of names and states: another one when anything was written, removed or renamed."""
        ...

    @property
    def marked(self) -> bool:
        """Whether the marker that was asked for is there and newer than all else."""
        ...


@dataclass(frozen=True)
class FolderSeen:
    """What was seen so far of one folder.

    Attributes:
        digest: Of its listing, shortened; empty: it is gone.
        first: When it was first seen so, ISO 8601.
        looks: How often, but no more than ``LOOKS``.
        since: When it first moved, not having been whole since; empty while it is.
    """

    digest: str
    first: str
    looks: int
    since: str


@dataclass(frozen=True)
class Observed:
    """What was seen so far.

    Attributes:
        digest: Of the listing.
        first: When it was first seen so, ISO 8601.
        last: When last.
        looks: How often.
        restless_since: When data that has not been quiet since first moved; empty while it is.
        taken: What reading the data under this listing has told, if it was read.
        asked: What that rests on beside the listing: see ``reading``.
        longest_pause_s: For how long at most it stood still and was written on, in seconds.
        folders: What was seen of each folder, where each is whole by itself.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    digest: str
    first: str
    last: str
    looks: int
    restless_since: str = ""
    taken: Taken | None = None
    asked: str = ""
    longest_pause_s: float = 0.0
    folders: Mapping[str, FolderSeen] = field(default_factory=dict[str, FolderSeen])

    def quiet_for_s(self) -> float:
        """For how long the listing has been the same, in seconds, as far as anybody looked."""
        return (_moment(self.last) - _moment(self.first)).total_seconds()


_OBSERVED = TypeAdapter(Observed)


def read_observed(content: Mapping[str, Any] | None) -> Observed | None:
    """Return what was kept, or None where it is not to be used: then it is seen anew."""
    try:
        return _OBSERVED.validate_python(dict(content)) if content else None
    except ValidationError:
        return None


def observed_json(observed: Observed) -> dict[str, Any]:
    """Return the form in which it is kept."""
    return asdict(observed)


def observe(
    before: Observed | None, sighted: Sighted, at: datetime, quiet_s: int | None = None
) -> Observed:
    """Return what is known after one more look.

    Args:
        before: What was known.
        sighted: The listing now.
        at: Now.
        quiet_s: What is added so soon after data was taken for whole, three times over, belongs to
            the same upload.
    """
    now = at.isoformat()
    if before is None or _moment(before.last) > at:
        return Observed(sighted.digest, now, now, 1, restless_since=now)
    if before.digest == sighted.digest:
        return replace(before, last=now, looks=before.looks + 1)
    pause_s = before.quiet_for_s()
    same_upload = before.restless_since or (quiet_s and pause_s <= PERIODS * quiet_s)
    longest_s = max(before.longest_pause_s, pause_s) if same_upload else before.longest_pause_s
    return Observed(
        sighted.digest, now, now, 1, restless_since=before.restless_since or now,
        longest_pause_s=longest_s,
    )  # fmt: skip


def proposed_quiet_s(watch: WatchSettings, observed: Observed) -> int | None:
    """Return a longer quiet, three times the longest pause seen; None where the one asked is."""
    proposed = round(PERIODS * observed.longest_pause_s)
    return proposed if watch.quiet_s is not None and proposed > watch.quiet_s else None


def is_ready(watch: WatchSettings, observed: Observed, sighted: Sighted) -> bool:
    """Whether data may be taken: nobody writes it any more, as far as can be told."""
    if watch.marker:
        return sighted.marked
    assert watch.quiet_s is not None
    return observed.looks >= LOOKS and observed.quiet_for_s() >= watch.quiet_s


def calmed(observed: Observed) -> Observed:
    """Return what is known once the data was taken for whole: the next change starts the time."""
    return replace(observed, restless_since="")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
