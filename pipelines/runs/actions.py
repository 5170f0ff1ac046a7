"""Actions: what people did, and why, kept once for each time in ``actions/<day>/``.

Of a run that somebody started or cancelled, of a release and of a trigger the store keeps what came
of it; here stands who wanted it, in one list.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from components.contract.digests import canonical_json
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import ACTIONS, action_key, kind_of
from pipelines.stores.store import KeyMissing, Store

_THREADS = 8


@dataclass(frozen=True)
class Action:
    """Something that somebody did.

    Attributes:
        at: When: ISO 8601, with its time zone, as ``moments.now`` writes it.
        actor: Who.
        action: What, in a verb, such as ``cancel`` or ``promote``.
        what: To what: the run, the release, the trigger.
        reason: Why, in their own words; empty if they gave none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    at: str
    actor: str
    action: str
    what: str
    reason: str = ""


_ACTION = TypeAdapter(Action)


def record_action(store: Store, action: Action) -> str:
    """Keep what somebody did, and return the key that it lies under.

    Raises:
        UserError: The store fails.
    """
    at, data = datetime.fromisoformat(action.at), canonical_json(asdict(action))
    while True:
        key = action_key(at, secrets.token_hex(4))
        if store.put_if_absent(key, data):
            return key


def list_actions(store: Store, n: int) -> list[Action]:
    """Return what was done last, the newest first.

    All keys are listed for that, of which people make a few a day. What is damaged is passed over:
    ``slimline verify`` names it.

    Args:
        store: Where.
        n: So many at most.

    Raises:
        UserError: The store fails.
    """
    keys = sorted((key for key in store.list(ACTIONS) if kind_of(key) == "action"), reverse=True)
    read = call_each(lambda key: _read(store, key), ((key,) for key in islice(keys, n)), _THREADS)
    return [action for action in read if action is not None]


def actions_on(store: Store, day: datetime) -> list[Action]:
    """Return what was done on a day of UTC, the earliest first; what is damaged is passed over.

    Args:
        store: Where.
        day: Any moment of it, with its time zone.

    Raises:
        UserError: The store fails.
    """
    prefix = f"{ACTIONS}{day.astimezone(UTC):%Y-%m-%d}/"
    keys = ((key,) for key in store.list(prefix) if kind_of(key) == "action")
    read = call_each(lambda key: _read(store, key), keys, _THREADS)
    return [action for action in read if action is not None]


def _read(store: Store, key: str) -> Action | None:
    try:
        return parse_action(store.get(key))
    except (KeyMissing, ValueError):
        return None


def parse_action(data: bytes) -> Action:
    """Return the action that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    action = _ACTION.validate_json(data)
    datetime.fromisoformat(action.at)
    return action
