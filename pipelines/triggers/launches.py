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
from functools import partial
from typing import TypeVar

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.records import read_run
from pipelines.stores.layout import (
    launch_end_key,
    launch_key,
    launches_prefix,
    refusal_key,
    run_key,
    started_key,
)
from pipelines.stores.store import KeyMissing, Store
from pipelines.triggers.known_launches import KnownLaunches
from pipelines.triggers.launch_states import End, Ended, Launch, LaunchAttempt, LaunchRefusal
from pipelines.triggers.settings import Trigger

T = TypeVar("T")
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


def launches(
    store: Store, trigger: Trigger, known: KnownLaunches | None = None
) -> Mapping[str, Launch]:
    """Return all launches of a trigger by key, in the order in which they were first reserved.

    Args:
        store: Where.
        trigger: Whose.
        known: What was read before of this trigger, and is kept there: only what is new is read.
            Records of runs that have ended are those that ``KnownLaunches.keep`` returns. None:
            everything is read.
    """
    memory = known or KnownLaunches()
    found: dict[str, _KeptLaunch] = {}
    prefix = launches_prefix(trigger.uid)
    places = list(store.list(prefix))
    ends = [place for place in places if known and place.endswith(_END)]
    versions = dict(zip(ends, store.stat_many(ends), strict=True))
    for place in places:
        name = place.removeprefix(prefix)
        named = _REFUSAL.fullmatch(name) or _ATTEMPT.fullmatch(name)
        key = named[1] if named else name.removesuffix(_END)
        one = found.setdefault(key, _KeptLaunch())
        stat = versions.get(place)
        if place in versions and stat is None:
            continue  # taken back meanwhile
        version = stat.version if stat else ""
        try:
            if not named:
                one.end = memory.value(place, version, partial(_read, store, place, _ENDS))
            elif name.endswith(f"a{named[2]}.json"):
                attempt = memory.value(place, "", partial(_read, store, place, _ATTEMPTS))
                one.attempts[int(named[2])] = attempt
            else:
                refusal = memory.value(place, "", partial(_read, store, place, _REFUSALS))
                one.refusals[int(named[2])] = refusal
        except KeyMissing:
            continue  # taken back meanwhile
        except ValueError:
            one.damage = f"{place} cannot be read"
    made = [
        _launch(store, key, one, known)
        for key, one in found.items()
        if one.attempts or one.end or one.damage
    ]
    made.sort(key=lambda one: (one.attempts[0].reserved if one.attempts else one.key, one.key))
    return {one.key: one for one in made}


def _read(store: Store, place: str, kind: TypeAdapter[T]) -> T:
    return kind.validate_json(store.get(place))


def _launch(store: Store, key: str, found: _KeptLaunch, known: KnownLaunches | None) -> Launch:
    ordered = tuple(found.attempts[number] for number in sorted(found.attempts))
    records = {one.run: known.record(one.run) if known else None for one in ordered}
    unknown = [run for run, record in records.items() if record is None]
    begun = store.stat_many(place for run in unknown for place in (started_key(run), run_key(run)))
    damage = found.damage
    for index, run in enumerate(unknown):
        started, ended = begun[2 * index : 2 * index + 2]
        if started or ended:
            try:
                record = read_run(store, run)
                records[run] = known.keep(record) if known and ended else record
            except UserError as error:
                _read_again(store, run)
                damage = error.what
    return Launch(
        key, ordered, found.end, tuple(records[one.run] for one in ordered), found.refusals, damage
    )


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
