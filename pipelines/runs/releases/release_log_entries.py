"""An entry of the log of releases, and what a log of entries says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.stores.layout import release_log_prefix

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class LogEntry:
    """One promotion or rollback.

    Attributes:
        name: Of the releases: the configuration's name.
        seq: Number of the entry, from 1.
        previous: The sha256 of the bytes of the entry before it; None for the first.
        kind: ``promote`` or ``rollback``.
        release: Tree digest of the release that is the champion from here on.
        run: The run that published it.
        actor: Who promoted it or rolled back to it.
        trained_by: Who started its run; empty for runs of earlier versions, which do not say.
        reason: Why; of a promotion that nobody gave a reason for, what the gate says.
        at: ISO 8601, UTC.
        forced: The gate did not say yes.
        gate: What the gate found; None for a rollback.
        url: What the addresses of files begin with for apps; None where there are none.
        schema: Version of the entry.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    name: str
    seq: Annotated[int, Field(ge=1)]
    previous: _Digest | None
    kind: Literal["promote", "rollback"]
    release: _Digest
    run: str
    actor: str
    trained_by: str
    reason: str
    at: str
    forced: bool
    gate: Mapping[str, Any] | None
    url: str | None = None
    schema: Literal[1] = field(default=1)

    def to_bytes(self) -> bytes:
        """Return the bytes of the entry."""
        return canonical_json(asdict(self))


_ENTRY = TypeAdapter(LogEntry)


def parse_entry(data: bytes) -> LogEntry:
    """Return the entry that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    return _ENTRY.validate_json(data)


@dataclass(frozen=True)
class ReleaseLog:
    """A log as far as it can be trusted.

    Attributes:
        name: Of the releases.
        entries: Those before the first fault, oldest first.
        digests: The sha256 of the bytes of each of them.
        faults: Sentences, the first about the first bad entry.
        bad: Number of the first entry that is not to be trusted; None for a whole log.
    """

    name: str
    entries: tuple[LogEntry, ...] = ()
    digests: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    bad: int | None = None

    @property
    def champion(self) -> LogEntry | None:
        """The last good entry; its release is the champion."""
        return self.entries[-1] if self.entries else None

    @property
    def line(self) -> tuple[LogEntry, ...]:
        """The entries of the champion and of those that it can be rolled back to, oldest first."""
        line: list[LogEntry] = []
        for entry in self.entries:
            if entry.kind == "rollback":
                known = [index for index, one in enumerate(line) if one.release == entry.release]
                # To one that was rolled back itself: it stands in the place of the champion.
                line = line[: known[-1] if known else -1]
            elif line and line[-1].release == entry.release:
                line.pop()
            line.append(entry)
        return tuple(line)

    @property
    def rolled_back(self) -> frozenset[str]:
        """Tree digests of releases that a rollback ever ended: none is promoted by itself again."""
        return frozenset(
            before.release
            for before, entry in zip(self.entries, self.entries[1:], strict=False)
            if entry.kind == "rollback" and entry.release != before.release
        )

    def check(self) -> ReleaseLog:
        """Return the log if all of it can be trusted.

        Raises:
            UserError: It cannot.
        """
        if self.faults:
            raise UserError(
                f"the log of the releases of {self.name} is not what was written: {self.faults[0]}",
                "put the entries back as a copy of the store has them; what was written is in "
                f"{release_log_prefix(self.name)}",
            )
        return self
