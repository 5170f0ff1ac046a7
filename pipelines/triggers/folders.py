"""Folders that are whole one by one: what a watch with ``--settle folder`` has seen of each.

Where data never rests, some folders do. A folder counts with what lies in it itself, and is whole
as all of the data is otherwise: its listing was the same for long enough, or a marker in it is
newer than all beside it. One that has gone counts as being written for as long, too: it may come
back under another name, which looks like shrinkage until it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.triggers.observing import LOOKS, PERIODS, FolderSeen
from pipelines.triggers.settings import WatchSettings

_NAMED = 3
_DIGITS = 16
"""Of a digest, which tells one listing of a folder from the one before."""


@dataclass(frozen=True)
class SettledFolders:
    """Which folders are whole.

    Attributes:
        seen: What is known of each after this look.
        whole: Those that nobody writes any more, as far as can be told.
        written: The others; those that have just gone among them.
        since: When the first of those moved, ISO 8601; empty where there are none.
        longest_pause_s: For how long at most one stood still and was written on, in seconds.
    """

    seen: Mapping[str, FolderSeen]
    whole: frozenset[str]
    written: frozenset[str]
    since: str
    longest_pause_s: float

    def longest_quiet_s(self, at: datetime) -> float:
        """For how long the listing of any folder has been the same, in seconds."""
        return max((_since_s(one.first, at) for one in self.seen.values()), default=0.0)

    def shortest_whole_s(self, at: datetime) -> float:
        """For how long the listings of all folders that are whole have been the same."""
        return min((_since_s(self.seen[name].first, at) for name in self.whole), default=0.0)

    def __str__(self) -> str:
        """Name those that are being written."""
        names = sorted(name or "the top folder" for name in self.written)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return ", ".join(names[:_NAMED]) + more


def observe_folders(
    watch: WatchSettings,
    before: Mapping[str, FolderSeen],
    listings: Mapping[str, str],
    marked: frozenset[str],
    at: datetime,
) -> SettledFolders:
    """Return what is known of each folder after one more look.

    Args:
        watch: When a folder is whole.
        before: What was known.
        listings: The digest of the listing of each folder now.
        marked: Those with the marker, if one is asked for.
        at: Now.
    """
    seen: dict[str, FolderSeen] = {}
    whole: set[str] = set()
    longest_s = 0.0
    for name in sorted(listings.keys() | before.keys()):
        listing, known = listings.get(name, "")[:_DIGITS], before.get(name)
        if known is None or known.digest != listing:
            if known:
                pause_s = _since_s(known.first, at)
                same = known.since or (watch.quiet_s and pause_s <= PERIODS * watch.quiet_s)
                longest_s = max(longest_s, pause_s) if same else longest_s
            now = at.isoformat()
            one = FolderSeen(listing, now, 1, (known.since if known else "") or now)
        elif known.looks < LOOKS:
            one = replace(known, looks=known.looks + 1)
        else:
            one = known
        if _is_whole(watch, name, one, marked, at):
            if not listing:  # gone, and for long enough
                continue
            whole.add(name)
            one = replace(one, since="") if one.since else one
        seen[name] = one
    written = frozenset(seen.keys() - whole)
    since = min((seen[name].since for name in written), default="")
    return SettledFolders(seen, frozenset(whole), written, since, longest_s)


def _is_whole(
    watch: WatchSettings, name: str, seen: FolderSeen, marked: frozenset[str], at: datetime
) -> bool:
    if watch.quiet_s is None:
        return name in marked or not seen.digest
    return seen.looks >= LOOKS and _since_s(seen.first, at) >= watch.quiet_s


def _since_s(moment: str, at: datetime) -> float:
    return (at - datetime.fromisoformat(moment)).total_seconds()
