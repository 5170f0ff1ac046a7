"""The application: every page's routes, and the guards in front of them."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from components.contract.errors import UserError
from pipelines.web.pages import (
    affected,
    data_changes,
    find,
    home,
    images,
    lineage,
    runs,
    snapshots,
    verify,
)
from pipelines.web.security.forms import RefusedFormError, check_origin, read_form
from pipelines.web.security.headers import HeaderGuard
from pipelines.web.security.hosts import HostGuard
from pipelines.web.security.limits import LimitGuard
from pipelines.web.service import Service
from pipelines.web.statics import release, static_files
from pipelines.web.view import ActionRoute, PageRoute, View, view_of

ROUTES: tuple[PageRoute | ActionRoute, ...] = (
    *affected.ROUTES, *data_changes.ROUTES, *find.ROUTES, *home.ROUTES, *images.ROUTES,
    *lineage.ROUTES, *runs.ROUTES, *snapshots.ROUTES, *verify.ROUTES,
)  # fmt: skip
"""All pages and actions."""

_FOREVER = "public, max-age=31536000, immutable"
_Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(service: Service, sessions: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Return the application.

    Args:
        service: What pages show.
        sessions: Wraps what only those get who may ask; tells pages who asks.
    """
    routes = [
        Route(route.path, _page(route, service), methods=["GET"])
        for route in ROUTES
        if isinstance(route, PageRoute)
    ]
    if not service.settings.read_only:
        routes += [
            Route(route.path, _action(route, service), methods=["POST"])
            for route in ROUTES
            if isinstance(route, ActionRoute)
        ]
    routes.append(Route("/static/{release}/{name}", _static, methods=["GET"]))
    routes.append(Route("/{path:path}", _missing(service), methods=["GET"]))
    inner = sessions(Starlette(routes=routes))
    return HeaderGuard(LimitGuard(HostGuard(inner, service.settings.hosts)))


def _page(route: PageRoute, service: Service) -> _Endpoint:
    async def answer(request: Request) -> Response:
        tag = _tag(request, service)
        if route.live and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        view = view_of(request, service)
        try:
            response = await run_in_threadpool(route.page, view)
        except UserError as error:
            response = view.render(
                "problem.html", title="Not possible", status=409, what=error.what, fix=error.fix
            )
        if route.live and response.status_code == 200 and not view.said:
            response.headers["etag"] = tag
        return response

    return answer


def _tag(request: Request, service: Service) -> str:
    """Return what is equal as long as a page looks the same to who asks."""
    viewer = request.scope["slimline.viewer"]
    told = (service.version, release(), viewer, request.scope["slimline.csrf"], str(request.url))
    return f'"{hashlib.sha256(repr(told).encode()).hexdigest()[:32]}"'


def _action(route: ActionRoute, service: Service) -> _Endpoint:
    async def answer(request: Request) -> Response:
        view = view_of(request, service)
        try:
            check_origin(request)
            form = read_form(await request.body(), view.csrf, route.fields)
            _check_role(view, route)
        except RefusedFormError as error:
            return view.render(
                "problem.html", title="Refused", status=403, what=error.what, fix=error.fix
            )
        view = view_of(request, service, form)
        try:
            return await run_in_threadpool(route.action, view)
        except UserError as error:
            return view.render(
                "problem.html", title="Not possible", status=409, what=error.what, fix=error.fix
            )

    return answer


def _check_role(view: View, route: ActionRoute) -> None:
    if not view.may(route.role):
        raise RefusedFormError(
            f"{view.viewer.name} may {view.viewer.role} here, and this takes {route.role}",
            "ask the owner of this server for that role",
        )


async def _static(request: Request) -> Response:
    found = static_files().get(request.path_params["name"])
    if found is None or request.path_params["release"] != release():
        return PlainTextResponse("there is no such file\n", 404)
    content, kind = found
    return Response(content, media_type=kind, headers={"cache-control": _FOREVER})


def _missing(service: Service) -> _Endpoint:
    async def answer(request: Request) -> Response:
        view = view_of(request, service)
        return await run_in_threadpool(
            view.missing, f"there is no page {request.url.path}", "choose one in the menu"
        )

    return answer
