"""Launches: what a trigger starts, once for each nominal minute or snapshot and attempt.

An attempt is reserved by an exclusive creation that holds the identifier of its run. Whoever wins
and whoever loses read it back and act alike: take the lease of the launch, and run what the store
has no ``run.json`` of yet. Records of a run are written once. So there is one run, one record and
one release for each key and attempt, whatever is killed or doubled; steps may run twice.

No leader is needed for that, no cursor and no common clock.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal, cast

from pydantic import ConfigDict, TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import (
    launch_end_key,
    launch_key,
    launches_prefix,
    run_key,
    started_key,
)
from pipelines.stores.store import KeyMissing, Store
from pipelines.triggers.settings import Trigger

_ATTEMPT = re.compile(r"(.+)\.a([1-9][0-9]*)\.json")
_END = ".end.json"
_BACKOFF_S = (60, 300, 1500)
_JITTER = 0.2

Ended = Literal["skipped", "superseded", "dismissed"]
State = Literal[
    "reserved", "running", "done", "killed", "failed", "dead letter", "cancelled", "skipped",
    "superseded", "dismissed",
]  # fmt: skip
"""How it stands with a launch. ``reserved``: its run has not begun; ``killed``: it is tried again
now; ``failed``: later; ``dead letter``: not at all, until somebody asks for it."""

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
class Launch:
    """A launch with all its attempts.

    Attributes:
        key: The nominal minute, or the digest of the snapshot.
        attempts: In order; none where it was left out.
        end: Why none follows, or None.
        records: What the store holds of the run of each attempt; None of one that has not begun.
    """

    key: str
    attempts: tuple[LaunchAttempt, ...]
    end: End | None = None
    records: tuple[RunRecord | None, ...] = ()

    @property
    def latest(self) -> LaunchAttempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def record(self) -> RunRecord | None:
        """What the store holds of the latest attempt's run, or None: it has not begun."""
        return self.records[-1] if self.records else None

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
        if self.end:
            return self.end.how
        if self.record is None:
            return "reserved"
        outcome = self.record.outcome
        if outcome in ("running", "done", "cancelled"):
            return cast("State", outcome)
        kills = sum(_was_killed(record) for record in self.records)
        if _was_killed(self.record):
            return "killed" if kills < _KILLS_MAX else "dead letter"
        again = len(self.attempts) - kills <= retries and not self.user_fault
        return "failed" if again else "dead letter"

    @property
    def next_attempt_at(self) -> datetime | None:
        """When a failed launch is tried again: 1, 5, 25 minutes after its end, and a little."""
        latest = self.latest
        if latest is None or self.record is None or self.record.finished is None:
            return None
        base = _BACKOFF_S[min(len(self.attempts), len(_BACKOFF_S)) - 1]
        drawn = hashlib.sha256(f"{latest.uid} {latest.key} {latest.number}".encode()).digest()[0]
        wait = base * (1 + _JITTER * drawn / 255)
        return datetime.fromisoformat(self.record.finished) + timedelta(seconds=wait)


_ATTEMPTS = TypeAdapter(LaunchAttempt)
_ENDS = TypeAdapter(End)


def run_id(trigger: Trigger, key: str, number: int, at: datetime) -> str:
    """Return the identifier of the run of an attempt: of the same form as any other run's."""
    name = str(trigger.configured["name"])
    short = hashlib.sha256(f"{trigger.uid} {key} {number}".encode()).hexdigest()[:4]
    return f"{name}-{at.astimezone(UTC):%Y%m%d-%H%M%S}-{short}"


def reserve(
    store: Store,
    trigger: Trigger,
    key: str,
    number: int,
    *,
    at: datetime,
    snapshot: str = "",
    why: str,
    actor: str,
) -> LaunchAttempt:
    """Reserve an attempt, or read who has.

    Args:
        store: Where.
        trigger: What launches.
        key: The nominal minute, or the digest of the snapshot.
        number: Of the attempt.
        at: Now.
        snapshot: See ``LaunchAttempt``.
        why: See ``LaunchAttempt``.
        actor: See ``LaunchAttempt``.

    Returns:
        The attempt as the store holds it, this one's or another one's.
    """
    wanted = LaunchAttempt(
        trigger.name, trigger.uid, key, number, run_id(trigger, key, number, at),
        at.astimezone(UTC).isoformat(timespec="milliseconds"), snapshot, why,
        trigger.config_digest, actor,
    )  # fmt: skip
    place = launch_key(trigger.uid, key, number)
    if store.put_if_absent(place, canonical_json(asdict(wanted))):
        return wanted
    try:
        return _ATTEMPTS.validate_json(store.get(place))
    except (KeyMissing, ValueError) as error:
        raise _damaged(store, place) from error


def end(store: Store, trigger: Trigger, key: str, how: Ended, why: str, at: str, actor: str) -> End:
    """Say that no further attempt at a launch follows; what was said first stays."""
    place = launch_end_key(trigger.uid, key)
    wanted = End(how, why, at, actor)
    if store.put_if_absent(place, canonical_json(asdict(wanted))):
        return wanted
    return read_end(store, trigger, key) or wanted


def read_end(store: Store, trigger: Trigger, key: str) -> End | None:
    """Return why no further attempt at a launch follows; None where one may.

    Raises:
        UserError: What says so is damaged.
    """
    place = launch_end_key(trigger.uid, key)
    try:
        return _ENDS.validate_json(store.get(place))
    except KeyMissing:
        return None
    except ValueError as error:
        raise _damaged(store, place) from error


def reopen(store: Store, trigger: Trigger, key: str) -> None:
    """Take back that no further attempt follows."""
    place = launch_end_key(trigger.uid, key)
    if stat := store.stat(place):
        store.delete_if_match(place, stat.version)


def launches(store: Store, trigger: Trigger) -> Mapping[str, Launch]:
    """Return all launches of a trigger by key, in the order in which they were first reserved.

    Raises:
        UserError: One of them is damaged.
    """
    attempts: dict[str, dict[int, LaunchAttempt]] = {}
    ends: dict[str, End] = {}
    prefix = launches_prefix(trigger.uid)
    for place in store.list(prefix):
        name = place.removeprefix(prefix)
        try:
            if found := _ATTEMPT.fullmatch(name):
                attempt = _ATTEMPTS.validate_json(store.get(place))
                attempts.setdefault(found[1], {})[int(found[2])] = attempt
            elif name.endswith(_END):
                ends[name.removesuffix(_END)] = _ENDS.validate_json(store.get(place))
        except KeyMissing:
            continue  # taken back meanwhile
        except ValueError as error:
            raise _damaged(store, place) from error
    made = [
        _launch(store, key, attempts.get(key, {}), ends.get(key))
        for key in attempts.keys() | ends.keys()
    ]
    made.sort(key=lambda one: (one.attempts[0].reserved if one.attempts else one.key, one.key))
    return {one.key: one for one in made}


def _launch(
    store: Store, key: str, numbered: Mapping[int, LaunchAttempt], over: End | None
) -> Launch:
    ordered = tuple(numbered[number] for number in sorted(numbered))
    begun = store.stat_many(
        place for one in ordered for place in (started_key(one.run), run_key(one.run))
    )
    records = tuple(
        read_run(store, one.run) if begun[2 * index] or begun[2 * index + 1] else None
        for index, one in enumerate(ordered)
    )
    return Launch(key, ordered, over, records)


def _was_killed(record: RunRecord | None) -> bool:
    return bool(record and record.outcome == "broken" and (record.fault or "").startswith(_KILLED))


def _damaged(store: Store, place: str) -> UserError:
    return UserError(
        f"{store.uri}: {place} cannot be read: it is no launch of this version of slimline",
        "look what wrote it; slimline verify names all that is damaged in the store",
    )


def read_launch_document(data: bytes, *, ended: bool) -> None:
    """Check what lies under a key of a launch.

    Raises:
        ValueError: It is no attempt, or no end of a launch.
    """
    json.loads(data)
    (_ENDS if ended else _ATTEMPTS).validate_json(data)
