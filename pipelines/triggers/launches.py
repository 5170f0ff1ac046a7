"""Launches: what a trigger starts, once for each nominal minute or snapshot and attempt.

An attempt is reserved by an exclusive creation that holds the identifier of its run. Whoever wins
and whoever loses read it back and act alike: take the lease of the launch, and run what the store
has no ``run.json`` of yet. Records of a run are written once. So there is one run, one record and
one release for each key and attempt, whatever is killed or doubled; steps may run twice.

No leader is needed for that, no cursor and no common clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import (
    launch_end_key,
    launch_key,
    launches_prefix,
    refusal_key,
    run_key,
    started_key,
)
from pipelines.stores.store import KeyMissing, Store
from pipelines.triggers.launch_states import End, Ended, Launch, LaunchAttempt, LaunchRefusal
from pipelines.triggers.settings import Trigger

_ATTEMPT = re.compile(r"(.+)\.a([1-9][0-9]*)\.json")
_REFUSAL = re.compile(r"(.+)\.a([1-9][0-9]*)\.refused\.json")
_END = ".end.json"

_ATTEMPTS = TypeAdapter(LaunchAttempt)
_ENDS = TypeAdapter(End)
_REFUSALS = TypeAdapter(LaunchRefusal)


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
    listing: str = "",
    whole: str = "",
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
        listing: See ``LaunchAttempt``.
        whole: See ``LaunchAttempt``.

    Returns:
        The attempt as the store holds it, this one's or another one's.
    """
    wanted = LaunchAttempt(
        trigger.name, trigger.uid, key, number, run_id(trigger, key, number, at),
        at.astimezone(UTC).isoformat(timespec="milliseconds"), snapshot, why,
        trigger.config_digest, actor, listing, whole,
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


def refuse(store: Store, trigger: Trigger, attempt: LaunchAttempt, why: str, at: str) -> None:
    """Say that the run of an attempt could not begin: it counts as one that failed."""
    place = refusal_key(trigger.uid, attempt.key, attempt.number)
    store.put_if_absent(place, canonical_json(asdict(LaunchRefusal(why, at))))


def reopen(store: Store, trigger: Trigger, key: str) -> None:
    """Take back that no further attempt follows."""
    place = launch_end_key(trigger.uid, key)
    if stat := store.stat(place):
        store.delete_if_match(place, stat.version)


@dataclass
class _KeptLaunch:
    """What the store holds of a launch."""

    attempts: dict[int, LaunchAttempt] = field(default_factory=dict[int, LaunchAttempt])
    refusals: dict[int, LaunchRefusal] = field(default_factory=dict[int, LaunchRefusal])
    end: End | None = None
    damage: str = ""


def launches(store: Store, trigger: Trigger) -> Mapping[str, Launch]:
    """Return all launches of a trigger by key, in the order in which they were first reserved."""
    found: dict[str, _KeptLaunch] = {}
    prefix = launches_prefix(trigger.uid)
    for place in store.list(prefix):
        name = place.removeprefix(prefix)
        named = _REFUSAL.fullmatch(name) or _ATTEMPT.fullmatch(name)
        key = named[1] if named else name.removesuffix(_END)
        one = found.setdefault(key, _KeptLaunch())
        try:
            data = store.get(place)
            if not named:
                one.end = _ENDS.validate_json(data)
            elif name.endswith(f"a{named[2]}.json"):
                one.attempts[int(named[2])] = _ATTEMPTS.validate_json(data)
            else:
                one.refusals[int(named[2])] = _REFUSALS.validate_json(data)
        except KeyMissing:
            continue  # taken back meanwhile
        except ValueError:
            one.damage = f"{place} cannot be read"
    made = [
        _launch(store, key, one)
        for key, one in found.items()
        if one.attempts or one.end or one.damage
    ]
    made.sort(key=lambda one: (one.attempts[0].reserved if one.attempts else one.key, one.key))
    return {one.key: one for one in made}


def _launch(store: Store, key: str, found: _KeptLaunch) -> Launch:
    ordered = tuple(found.attempts[number] for number in sorted(found.attempts))
    begun = store.stat_many(
        place for one in ordered for place in (started_key(one.run), run_key(one.run))
    )
    records: list[RunRecord | None] = []
    damage = found.damage
    for index, one in enumerate(ordered):
        record = None
        if begun[2 * index] or begun[2 * index + 1]:
            try:
                record = read_run(store, one.run)
            except UserError as error:
                _read_again(store, one.run)
                damage = error.what
        records.append(record)
    return Launch(key, ordered, found.end, tuple(records), found.refusals, damage)


def _read_again(store: Store, run: str) -> None:
    """Raise what the store says where it fails: what is not read then is not damaged."""
    for key in (run_key(run), started_key(run)):
        with contextlib.suppress(KeyMissing):
            store.get(key)


def _damaged(store: Store, place: str) -> UserError:
    return UserError(
        f"{store.uri}: {place} cannot be read: it is no launch of this version of slimline",
        "look what wrote it; slimline verify names all that is damaged in the store",
    )
