"""What a launch is: its attempts, what the store holds of their runs, and how it stands with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal, cast

from pydantic import ConfigDict

from pipelines.runs.records import RunRecord

_BACKOFF_S = (60, 300, 1500)
_JITTER = 0.2

Ended = Literal["skipped", "superseded", "dismissed"]
State = Literal[
    "reserved", "running", "done", "killed", "failed", "dead letter", "cancelled", "skipped",
    "superseded", "dismissed", "damaged",
]  # fmt: skip
"""How it stands with a launch. ``reserved``: its run has not begun; ``killed``: it is tried again
now; ``failed``: later; ``dead letter``: not at all, until somebody asks for it; ``damaged``: what
the store holds of it cannot be read, and it is left alone."""

UNFINISHED: tuple[State, ...] = ("reserved", "running", "killed", "failed")
_KILLED = "its engine was killed"
_KILLS_MAX = 5
"""What is killed again and again takes more memory than there is, or brings its machine down."""


@dataclass(frozen=True)
class LaunchAttempt:
    """One attempt at a launch, as it was reserved.

    Attributes:
        trigger: Name of the trigger.
        uid: Of the trigger.
        key: The nominal minute, or the digest of the snapshot.
        number: Of the attempt, from 1.
        run: Identifier of its run.
        reserved: When, ISO 8601.
        snapshot: Digest of the data that it trains on; empty takes the data as it is then.
        why: What it was launched for, in words.
        config_digest: Of the configuration.
        actor: Who or what reserved it.
        listing: Of a watch, the listing of its data as it was when that was read.
        whole: Of a watch, how it was known that nobody writes the data any more.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    trigger: str
    uid: str
    key: str
    number: int
    run: str
    reserved: str
    snapshot: str
    why: str
    config_digest: str
    actor: str
    listing: str = ""
    whole: str = ""


@dataclass(frozen=True)
class End:
    """Why no further attempt at a launch follows.

    Attributes:
        how: In a word.
        why: In a sentence.
        at: When, ISO 8601.
        actor: Who decided it.
    """

    how: Ended
    why: str
    at: str
    actor: str


@dataclass(frozen=True)
class LaunchRefusal:
    """Why the run of an attempt could not begin.

    Attributes:
        why: In a sentence.
        at: When, ISO 8601.
    """

    why: str
    at: str


@dataclass(frozen=True)
class Launch:
    """A launch with all its attempts.

    Attributes:
        key: The nominal minute, or the digest of the snapshot.
        attempts: In order; none where it was left out.
        end: Why none follows, or None.
        records: What the store holds of the run of each attempt; None of one that has not begun.
        refusals: Why attempts could not begin, by their number.
        damage: What of it cannot be read; empty if nothing.
    """

    key: str
    attempts: tuple[LaunchAttempt, ...]
    end: End | None = None
    records: tuple[RunRecord | None, ...] = ()
    refusals: Mapping[int, LaunchRefusal] = field(default_factory=dict[int, LaunchRefusal])
    damage: str = ""

    @property
    def latest(self) -> LaunchAttempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def record(self) -> RunRecord | None:
        """What the store holds of the latest attempt's run, or None: it has not begun."""
        return self.records[-1] if self.records else None

    @property
    def refusal(self) -> LaunchRefusal | None:
        """Why the latest attempt could not begin, or None."""
        return self.refusals.get(self.latest.number) if self.latest else None

    @property
    def why(self) -> str:
        """What it was launched for, or why it was left out or could not begin."""
        if self.damage or self.end:
            return self.damage or (self.end.why if self.end else "")
        if self.refusal and self.record is None:
            return self.refusal.why
        if self.latest is None:
            return ""
        return f"{self.latest.why} ({self.latest.whole})" if self.latest.whole else self.latest.why

    @property
    def user_fault(self) -> bool:
        """Whether the latest attempt failed for something that only the user can put right."""
        steps = self.record.steps.values() if self.record else ()
        faults = [bool(step.get("user_fault")) for step in steps if step["state"] == "failed"]
        return bool(faults) and all(faults)

    def state(self, retries: int) -> State:
        """Return how it stands with it.

        Args:
            retries: How often a failed launch is tried again.
        """
        if self.damage:
            return "damaged"
        if self.end:
            return self.end.how
        record, kills = self.record, sum(_was_killed(record) for record in self.records)
        if record is None and self.refusal is None:
            state: State = "reserved"
        elif record and record.outcome in ("running", "done", "cancelled"):
            state = cast("State", record.outcome)
        elif _was_killed(record):
            state = "killed" if kills < _KILLS_MAX else "dead letter"
        else:
            again = len(self.attempts) - kills <= retries and not self.user_fault
            state = "failed" if again else "dead letter"
        return state

    @property
    def next_attempt_at(self) -> datetime | None:
        """When a failed launch is tried again: 1, 5, 25 minutes after its end, and a little."""
        latest, ended = self.latest, self.record.finished if self.record else None
        if self.record is None and self.refusal:
            ended = self.refusal.at
        if latest is None or ended is None:
            return None
        base = _BACKOFF_S[min(len(self.attempts), len(_BACKOFF_S)) - 1]
        drawn = hashlib.sha256(f"{latest.uid} {latest.key} {latest.number}".encode()).digest()[0]
        wait = base * (1 + _JITTER * drawn / 255)
        return datetime.fromisoformat(ended) + timedelta(seconds=wait)


def _was_killed(record: RunRecord | None) -> bool:
    return bool(record and record.outcome == "broken" and (record.fault or "").startswith(_KILLED))
