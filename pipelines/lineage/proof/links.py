"""Links of a chain of evidence, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

FaultState = Literal[
    "damaged", "different", "changed", "missing", "erased", "collected", "unproved"
]
"""``damaged``: the store contradicts itself; ``different``: made again, it has other bytes;
``changed``: the user's files are others now; ``missing``: what is referred to is not there;
``erased``: it was removed as somebody asked for it, which a tombstone says; ``collected``: so was
what nothing rested on, and the digests stay; ``unproved``: nothing contradicts, and the store holds
nothing to hold it against."""

LinkState: TypeAlias = FaultState | Literal["proved"]

_RELEASE = "release "
_GRAVITY: Sequence[FaultState] = (
    "damaged", "different", "changed", "missing", "erased", "collected", "unproved",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What is wrong in one place.

    Attributes:
        place: A key of the store, or a path or address of the user's.
        state: See ``FaultState``.
        what: In words, to be read after the place.
    """

    place: str
    state: FaultState
    what: str

    @property
    def breaks(self) -> bool:
        """Whether the chain ends here; what was collected or is only unproved breaks nothing."""
        return self.state not in ("collected", "unproved")


class FaultFound(Exception):  # noqa: N818 it is an answer, which the link it belongs to takes
    """A check cannot go on.

    Args:
        fault: Why.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.place} {fault.what}")
        self.fault = fault


@dataclass(frozen=True)
class Link:
    """One link between a released file and the files of the user.

    Attributes:
        name: What it is about: ``release digits``, ``step train``, ``source data``.
        subject: Digest of it; empty where it has none.
        said: What was held against what, in words.
        faults: All that is wrong with it.
    """

    name: str
    subject: str
    said: str
    faults: tuple[Fault, ...] = ()

    @property
    def state(self) -> LinkState:
        """``proved``, or the gravest of its faults."""
        found = {fault.state for fault in self.faults}
        for state in _GRAVITY:
            if state in found:
                return state
        return "proved"

    @property
    def broken(self) -> bool:
        """Whether the chain ends here."""
        return any(fault.breaks for fault in self.faults)


@dataclass(frozen=True)
class Chain:
    """Everything from what was asked about up to the user's files.

    Attributes:
        subject: What was asked about, as a person names it.
        run: The run that made it.
        release: Tree digest of the release, or None.
        links: From the released file up, in this order.
        below: Releases whose lineage holds the place where the chain breaks, as ``name/run``.
        objects: How many values of the store were looked at.
        read_bytes: How many bytes of them were hashed.
    """

    subject: str
    run: str
    release: str | None
    links: tuple[Link, ...]
    below: tuple[str, ...] = ()
    objects: int = 0
    read_bytes: int = 0

    @property
    def first_broken(self) -> Link | None:
        """The first link, from the released file up, that does not hold."""
        return next((link for link in self.links if link.broken), None)

    @property
    def released_as(self) -> str | None:
        """What the release is called, where the chain leads over one."""
        names = (link.name for link in self.links if link.name.startswith(_RELEASE))
        return next((name.removeprefix(_RELEASE) for name in names), None)


@dataclass(frozen=True)
class RebuiltStep:
    """What became of a step that was to be run again.

    Attributes:
        step: Its name.
        state: ``same`` bytes; ``different``; ``left out``: a measurement, which no two times are
            the same; ``not made``: it failed, or was not reached.
        what: In words.
    """

    step: str
    state: Literal["same", "different", "left out", "not made"]
    what: str
