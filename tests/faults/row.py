"""The rows of the table that the fault loops print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """What became of one class of faults.

    Attributes:
        kind: The class.
        promised: What must hold in every try.
        tries: How many there were.
        seen: How often which outcome that was promised was seen.
        broken: What was not as promised: one text a try.
        seconds: Wall time of all tries.
    """

    kind: str
    promised: str
    tries: int = 0
    seen: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def kept(self, outcome: str) -> None:
        """Count a try that went as promised."""
        self.tries += 1
        self.seen[outcome] += 1

    def broke(self, what: str) -> None:
        """Count a try that did not."""
        self.tries += 1
        self.broken.append(what)

    def demand(self, outcome: str) -> None:
        """Ask that an outcome was seen: a loop that met no fault has shown nothing."""
        if self.tries and not self.broken and not self.seen[outcome]:
            self.broken.append(f"no try ended like this: {outcome}")

    @property
    def outcome(self) -> str:
        """Return what was seen, in words."""
        parts = [f"{count} {what}" for what, count in self.seen.most_common()]
        if self.broken:
            parts.append(f"{len(self.broken)} BROKEN")
        return ", ".join(parts) or "not tried"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as it stands in the documentation."""
    lines = ["| class | tries | promised | outcome | seconds |", "|---|---:|---|---|---:|"]
    lines += [
        f"| {row.kind} | {row.tries} | {row.promised} | {row.outcome} | {row.seconds:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)
