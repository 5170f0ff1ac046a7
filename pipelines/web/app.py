"""The application: the routes of all pages and actions, and how they are answered."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from anyio.to_thread import current_default_thread_limiter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from components.contract.errors import UserError
from pipelines.disk.files import fault_of as disk_fault_of
from pipelines.web.pages import actions, devices, find, health, home, metrics
from pipelines.web.pages.lineage import (
    affected,
    artifacts,
    data_changes,
    images,
    lineage,
    snapshots,
    verify,
)
from pipelines.web.pages.releases import release_actions, releases
from pipelines.web.pages.runs import board, compare, logs, run, run_actions, runs, step, timeline
from pipelines.web.pages.triggers import trigger_actions, triggers, wake
from pipelines.web.security.faults import words_of
from pipelines.web.security.forms import RefusedFormError, check_origin, pairs_of, read_form
from pipelines.web.security.plain import address_of
from pipelines.web.service import Service
from pipelines.web.standing import IndexMissingError
from pipelines.web.statics import release, static_files
from pipelines.web.view import ActionRoute, PageRoute, View, view_of

ROUTES: tuple[PageRoute | ActionRoute, ...] = (
    *actions.ROUTES,
    *affected.ROUTES,
    *artifacts.ROUTES,
    *board.ROUTES,
    *compare.ROUTES,
    *data_changes.ROUTES,
    *devices.ROUTES,
    *find.ROUTES,
    *health.ROUTES,
    *home.ROUTES,
    *images.ROUTES,
    *lineage.ROUTES,
    *logs.ROUTES,
    *metrics.ROUTES,
    *release_actions.ROUTES,
    *releases.ROUTES,
    *run.ROUTES,
    *run_actions.ROUTES,
    *runs.ROUTES,
    *snapshots.ROUTES,
    *step.ROUTES,
    *timeline.ROUTES,
    *trigger_actions.ROUTES,
    *triggers.ROUTES,
    *verify.ROUTES,
    *wake.ROUTES,
)
"""All pages and actions."""

_THREADS = 16
_P = ParamSpec("_P")
_FOREVER = "public, max-age=31536000, immutable"
_Endpoint = Callable[[Request], Awaitable[Response]]


def make_pages(service: Service) -> ASGIApp:
    """Return what answers all addresses; ``guards.guarded`` stands in front of it.

    Args:
        service: What pages show.
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
    return Router(routes, redirect_slashes=False)


def _page(route: PageRoute, service: Service) -> _Endpoint:
    async def answer(request: Request) -> Response:
        service.asked()
        tag = _tag(request, service)
        if route.live and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        view = view_of(request, service)
        response = await _on_thread(_answered, view, route.page)
        if route.live and response.status_code == 200 and not view.said:
            response.headers["etag"] = tag
        return response

    return answer


def _tag(request: Request, service: Service) -> str:
    """Return what is equal as long as a page looks the same to who asks."""
    viewer, where = request.scope["slimline.viewer"], address_of(request.scope)
    told = (service.version, release(), viewer, request.scope["slimline.csrf"], where)
    return f'"{hashlib.sha256(repr(told).encode()).hexdigest()[:32]}"'


def _answered(view: View, answer: Callable[[View], Response]) -> Response:
    """Answer a request; what cannot be done is said with its fix, and a fault of our own as one."""
    try:
        return answer(view)
    except IndexMissingError:
        return view.render("reading.html", title="Reading the store", reading=view.service.reading)
    except UserError as error:
        fault = error
    except Exception as error:  # noqa: BLE001 told with its traceback, never to the browser
        fault = disk_fault_of(error) if isinstance(error, OSError) else None
        if fault is None:
            identifier = view.service.faults.bug("".join(traceback.format_exception(error)))
            what, fix = words_of(identifier)
            return view.render("problem.html", title="A bug", status=500, what=what, fix=fix)
    return view.render(
        "problem.html", title="Not possible", status=409, what=fault.what, fix=fault.fix
    )


def _action(route: ActionRoute, service: Service) -> _Endpoint:
    https = service.settings.https

    async def answer(request: Request) -> Response:
        view = view_of(request, service)
        scope = request.scope
        known = scope["slimline.csrf_known"]
        try:
            if known is not None:
                check_origin(scope, https=https)
            form = read_form(pairs_of(scope, await request.body()), known, route.fields)
            _check_role(view, route)
        except RefusedFormError as error:
            scope["slimline.refused"] = error.what
            return view.render(
                "problem.html", title="Refused", status=403, what=error.what, fix=error.fix
            )
        return await _on_thread(_answered, view_of(request, service, form), route.action)

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
        what = f"there is no page {request.url.path}"
        return await _on_thread(view_of(request, service).missing, what, "choose one in the menu")

    return answer


async def _on_thread(
    answer: Callable[_P, Response], *given: _P.args, **named: _P.kwargs
) -> Response:
    """Answer on one of few threads: each holds an index open, and there are few processors."""
    current_default_thread_limiter().total_tokens = _THREADS
    return await run_in_threadpool(answer, *given, **named)
