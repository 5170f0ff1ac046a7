"""Actions: who did what, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from pipelines.runs.actions import Action, list_actions
from pipelines.web.view import PageRoute, View

_SHOWN, _MOST = 100, 5000
_TRIGGERS = ("trigger", "launch", "data")


@dataclass(frozen=True)
class ActionRow:
    """Something that somebody did.

    Attributes:
        action: That.
        link: Where what it was done to can be looked at; empty where that is nowhere.
    """

    action: Action
    link: str


def actions(view: View) -> Response:
    """Show the latest; ``actor`` and ``action`` choose, ``all`` shows older ones, too."""
    more = bool(view.query.get("all"))
    found = list_actions(view.service.store, _MOST if more else _SHOWN + 1)
    filters = {key: view.query.get(key, "") for key in ("actor", "action")}
    chosen = [
        one
        for one in found[: _MOST if more else _SHOWN]
        if all(not value or getattr(one, key) == value for key, value in filters.items())
    ]
    return view.render(
        "actions.html",
        title="Actions",
        rows=[ActionRow(one, _link(one)) for one in chosen],
        filters=filters,
        actors=_different(one.actor for one in found),
        kinds=_different(one.action for one in found),
        older=None if more or len(found) <= _SHOWN else view.url(all=1),
    )


def _different(values: Iterable[str]) -> Sequence[str]:
    return sorted(set(values))


def _link(action: Action) -> str:
    """Return the page of what an action was done to."""
    name, _, run = action.what.partition("@")
    if action.action.startswith(("promote", "rollback")):
        return f"/releases/{quote(name, safe='')}"
    if action.action.endswith(_TRIGGERS):
        return f"/triggers/{quote(action.what.split()[0], safe='')}"
    return "" if run or " " in action.what else f"/runs/{quote(action.what, safe='')}"


ROUTES: tuple[PageRoute, ...] = (PageRoute("/actions", actions),)
