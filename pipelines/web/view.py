"""One request, and the routes that answer requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipelines.runs.actions import Action, record_action
from pipelines.web.security.cookies import (
    cookie,
    cookie_name,
    drop_cookie,
    sealed,
    set_cookie,
    unsealed,
)
from pipelines.web.security.plain import address_of
from pipelines.web.security.prefixes import PageResponse
from pipelines.web.security.viewer import Viewer
from pipelines.web.service import Service
from pipelines.web.settings import Role
from pipelines.web.templating import render

MENU = (
    ("Home", "/", "h"),
    ("Runs", "/runs", "r"),
    ("Lineage", "/lineage", "l"),
    ("Data", "/data", "d"),
    ("Releases", "/releases", "e"),
    ("Triggers", "/triggers", "t"),
    ("Devices", "/devices", "v"),
    ("Health", "/health", "s"),
)
"""Pages by name, address and the key that goes there."""

_SAID_MAX, _SAID_S = 500, 60


@dataclass(frozen=True)
class View:
    """One request.

    Attributes:
        service: What all pages share.
        viewer: Who asks, and what they may do.
        path: Values of the route's parameters.
        query: Values of the query; of one that is given twice, the last.
        queries: All values of each, in the order in which they were given.
        form: Values of the form of an action.
        where: The address that was asked for, without the host.
        said: What the action before did, to be shown once.
        csrf: What a form has to send along.
        leaves: Whether who asks has signed in here, and can sign out.
    """

    service: Service
    viewer: Viewer
    path: Mapping[str, str]
    query: Mapping[str, str]
    where: str
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    said: str = ""
    csrf: str = ""
    leaves: bool = False
    queries: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def now(self) -> datetime:
        """The present."""
        return self.service.clock()

    @property
    def at(self) -> str:
        """The present as actions and commands keep it: ISO 8601, in UTC."""
        return self.now.astimezone(UTC).isoformat(timespec="milliseconds")

    @property
    def menu(self) -> Sequence[tuple[str, str, str]]:
        """What the menu lists: name, address, key."""
        return MENU

    @property
    def rights(self) -> str:
        """What who asks may do here, in a word."""
        return "read" if self.service.settings.read_only else self.viewer.role

    def is_in(self, address: str) -> bool:
        """Whether this page is that of an address, or one below it."""
        path = self.where.partition("?")[0]
        return path == address or (address != "/" and path.startswith(f"{address}/"))

    def may(self, role: Role) -> bool:
        """Whether who asks may do what takes this role."""
        return self.viewer.may(role) and (role == "read" or not self.service.settings.read_only)

    def url(self, **changed: object) -> str:
        """Return the address of this page with other values of its query; None takes one away."""
        query = {**self.query, **changed}
        kept = {key: str(value) for key, value in query.items() if value is not None}
        path = self.where.partition("?")[0]
        return f"{path}?{urlencode(kept)}" if kept else path

    def render(self, template: str, *, title: str, status: int = 200, **values: object) -> Response:
        """Return a page.

        Args:
            template: Name of a file in ``templates``.
            title: Of the page.
            status: Of HTTP.
            **values: What the template uses; a missing one is an error.
        """
        page = render(template, view=self, title=title, **values)
        response = PageResponse(page, status)
        if self.said:
            drop_cookie(response, said_cookie(self.service), https=self.service.settings.https)
        return response

    def missing(self, what: str, fix: str) -> Response:
        """Return the page that says that there is no such thing, and what to do."""
        return self.render("problem.html", title="Not found", status=404, what=what, fix=fix)

    def record(self, action: str, what: str, reason: str) -> None:
        """Keep in the store that who asks did something.

        Args:
            action: Such as ``cancel``.
            what: What it was done to, such as a run.
            reason: Why, as it was given.
        """
        record_action(self.service.store, Action(self.at, self.viewer.name, action, what, reason))

    def done(self, where: str, said: str) -> Response:
        """Return what follows an action: another page, which says once what was done."""
        self.service.changed()
        response = RedirectResponse(where, 303)
        kept, name = sealed(said[:_SAID_MAX], self.csrf), said_cookie(self.service)
        set_cookie(response, name, kept, https=self.service.settings.https, age_s=_SAID_S)
        return response


@dataclass(frozen=True)
class PageRoute:
    """A page.

    Attributes:
        path: With parameters, as Starlette writes them.
        page: Makes it.
        live: Whether it is asked for again while it is looked at, and kept where nothing changed.
    """

    path: str
    page: Callable[[View], Response]
    live: bool = True


@dataclass(frozen=True)
class ActionRoute:
    """What a form of a page does.

    Attributes:
        path: With parameters, as Starlette writes them.
        action: Does it.
        role: What who asks has to be.
        fields: Names of the form's fields, all of which must be there, and no others.
    """

    path: str
    action: Callable[[View], Response]
    role: Role
    fields: tuple[str, ...] = ()


def view_of(request: Request, service: Service, form: Mapping[str, str] | None = None) -> View:
    """Return what a page needs of a request."""
    scope = request.scope
    said = cookie(scope, said_cookie(service))
    return View(
        service,
        viewer=scope["slimline.viewer"],
        path={key: str(value) for key, value in request.path_params.items()},
        query=dict(request.query_params),
        where=address_of(scope),
        form=form or {},
        said=unsealed(said, scope["slimline.csrf"]),
        csrf=scope["slimline.csrf"],
        leaves=scope["slimline.leaves"],
        queries={key: tuple(request.query_params.getlist(key)) for key in request.query_params},
    )


def said_cookie(service: Service) -> str:
    """Return what the cookie is called that carries to the next page, once, what was done."""
    settings = service.settings
    return cookie_name("slimline-said", settings, settings.port)
