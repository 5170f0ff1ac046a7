"""Triggers as a store keeps them: each under its name, changed by compare-and-swap alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from pipelines.config.configuration import Config
from pipelines.stores.layout import TRIGGERS, observed_key, ticks_key, trigger_key
from pipelines.stores.store import KeyMissing, Store
from pipelines.triggers.settings import Trigger

SCHEMA = 1
"""Raised when the meaning of what is written changes."""

_TRIGGER = TypeAdapter(Trigger)
_TRIES = 20
_UID_BYTES = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Damaged:
    """A trigger that cannot be read.

    Attributes:
        name: What it is called.
        why: What is wrong with it.
    """

    name: str
    why: str


def new_uid() -> str:
    """Return what no other trigger has."""
    return secrets.token_hex(_UID_BYTES)


def config_text(config: Config) -> str:
    """Return a configuration as ``config_of`` reads it again: places included, in its order."""
    return json.dumps(config.model_dump(mode="json", exclude_unset=True))


def config_of(trigger: Trigger) -> Config:
    """Return the configuration of a trigger.

    Raises:
        UserError: This version of slimline does not take it any more.
    """
    try:
        return Config.model_validate(trigger.configured)
    except ValidationError as error:
        raise UserError(
            f"the configuration of the trigger {trigger.name} is of another version of slimline: "
            f"{error.errors()[0]['msg']}",
            f"add the trigger again from its file: slimline {trigger.kind} add CONFIG",
        ) from None


def put_trigger(store: Store, wanted: Trigger) -> Trigger:
    """Add a trigger, or change the one of its name: then it stays the same one, but for the rest.

    Returns:
        The trigger as it is kept: with the uid of the one that was there, paused as it was.
    """

    def changed(before: Trigger | None) -> Trigger:
        if before is None or before.kind != wanted.kind:
            return wanted
        return replace(wanted, uid=before.uid, paused=before.paused, created=before.created)

    return _swap(store, trigger_key(wanted.name), _parsed, changed, _bytes)


def change_trigger(store: Store, name: str, change: Callable[[Trigger], Trigger]) -> Trigger:
    """Change a trigger that is there.

    Raises:
        UserError: There is none of that name, or it is damaged.
    """

    def changed(before: Trigger | None) -> Trigger:
        if before is None:
            raise _unknown(store, name)
        return change(before)

    return _swap(store, trigger_key(name), _parsed, changed, _bytes)


def read_trigger(store: Store, name: str) -> Trigger:
    """Return a trigger.

    Raises:
        UserError: There is none of that name, or it is damaged.
    """
    try:
        return _parsed(store.get(trigger_key(name)))
    except KeyMissing:
        raise _unknown(store, name) from None
    except ValueError as error:
        raise _damaged(store, trigger_key(name), str(error)) from None


def list_triggers(store: Store) -> tuple[list[Trigger], list[Damaged]]:
    """Return all triggers by name, and those that cannot be read."""
    whole: list[Trigger] = []
    damaged: list[Damaged] = []
    for name in trigger_names(store):
        try:
            whole.append(_parsed(store.get(trigger_key(name))))
        except KeyMissing:
            continue
        except ValueError as error:
            damaged.append(Damaged(name, str(error)))
    return whole, damaged


def trigger_names(store: Store) -> list[str]:
    """Return the names of all triggers."""
    return sorted(
        key.split("/")[1] for key in store.list(TRIGGERS) if key.endswith("/trigger.json")
    )


def remove_trigger(store: Store, name: str) -> None:
    """Remove a trigger with what it has seen; its runs stay, and so does what it launched.

    Raises:
        UserError: There is none of that name.
    """
    found = store.stat(trigger_key(name))
    if found is None:
        raise _unknown(store, name)
    for key in (trigger_key(name), observed_key(name), ticks_key(name)):
        if stat := store.stat(key):
            store.delete_if_match(key, stat.version)


def get_json(store: Store, key: str) -> Mapping[str, Any] | None:
    """Return a JSON object of a trigger; None where there is none, or a damaged one."""
    try:
        return _object(store.get(key))
    except (KeyMissing, ValueError):
        return None


def swap_json(
    store: Store, key: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Change a JSON object of a trigger; a damaged one begins anew, as nothing rests on it."""

    def parsed(data: bytes) -> Mapping[str, Any] | None:
        try:
            return _object(data)
        except ValueError:
            return None

    return _swap(store, key, parsed, change, lambda value: canonical_json(dict(value)))


def swap_json_of(
    store: Store,
    name: str,
    key: str,
    change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]],
) -> Mapping[str, Any]:
    """Do ``swap_json``, and remove the object again where its trigger was removed meanwhile."""
    after = swap_json(store, key, change)
    if store.stat(trigger_key(name)) is None and (stat := store.stat(key)):
        store.delete_if_match(key, stat.version)
    return after


def _swap(
    store: Store,
    key: str,
    parse: Callable[[bytes], T | None],
    change: Callable[[T | None], T],
    write: Callable[[T], bytes],
) -> T:
    for _ in range(_TRIES):
        stat = store.stat(key)
        try:
            before = parse(store.get(key)) if stat else None
        except KeyMissing:
            continue
        except ValueError as error:
            raise _damaged(store, key, str(error)) from None
        after = change(before)
        data = write(after)
        if stat is None:
            if store.put_if_absent(key, data):
                return after
        elif store.replace_if_match(key, data, stat.version):
            return after
    raise UserError(
        f"{store.uri}: {key} is changed by others all the time", "try again when they have ended"
    )


def _bytes(trigger: Trigger) -> bytes:
    return canonical_json({"schema": SCHEMA, **asdict(trigger)})


def _parsed(data: bytes) -> Trigger:
    """Read a trigger.

    Raises:
        ValueError: It is none, or of a later version.
    """
    content = _object(data)
    if content.pop("schema", None) != SCHEMA:
        raise ValueError("written by another version of slimline")
    trigger = _TRIGGER.validate_python(content)
    if (trigger.schedule is None) == (trigger.watch is None):
        raise ValueError("neither a schedule nor a watch")
    return trigger


def _object(data: bytes) -> dict[str, Any]:
    content: Any = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 of what is read, not of an argument
    return cast("dict[str, Any]", content)


def _damaged(store: Store, key: str, why: str) -> UserError:
    return UserError(
        f"{store.uri}: {key} cannot be read: {why.splitlines()[0]}",
        f"remove it and add it again: slimline triggers remove {key.split('/')[1]}",
    )


def _unknown(store: Store, name: str) -> UserError:
    names = trigger_names(store)
    return UserError(
        f"the store {store.uri} has no trigger {name!r}",
        suggest(name, names) if names else "slimline schedule add CONFIG --cron FIELDS",
    )
