"""``slimline serve``: the server's socket, its one-time code, and its end."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from components.contract.errors import UserError
from pipelines.stores.store import Store
from pipelines.web.app import make_app
from pipelines.web.security.sessions import ENTER, CodeSessions
from pipelines.web.service import Service
from pipelines.web.settings import LOOPBACK, ServeSettings

_KEEP_ALIVE_S = 15
_CONNECTIONS = 200


def serve(store: Store, settings: ServeSettings, on_ready: Callable[[str], None]) -> None:
    """Serve pages until a signal ends it.

    Args:
        store: What pages show.
        settings: How.
        on_ready: Told the address to open, once connections are taken.

    Raises:
        UserError: The port is taken, or not allowed.
    """
    bound = _socket(settings)
    service = Service(store, settings)
    entered: list[CodeSessions] = []

    def sessions(app: ASGIApp) -> ASGIApp:
        made = CodeSessions(app)
        entered.append(made)
        return made

    app = make_app(service, sessions)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=16 * 1024,
        http="h11",
        ws="none",
        timeout_graceful_shutdown=3,
    )
    host = "[::1]" if settings.address == "::1" else settings.address
    address = f"http://{host}:{bound.getsockname()[1]}"
    service.start()
    try:
        on_ready(f"{address}{ENTER}?code={entered[0].new_code()}" if entered else address)
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        service.stop()
        bound.close()


def _socket(settings: ServeSettings) -> socket.socket:
    """Return the socket that takes connections."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.address, settings.port))
        made.listen(_CONNECTIONS)
    except OSError as error:
        made.close()
        raise UserError(
            f"{settings.address}:{settings.port} cannot be listened on: {error.strerror}",
            "give another --port, or --port 0 for any that is free"
            if settings.address in LOOPBACK
            else "give an address of this machine, and a port that this user may use",
        ) from None
    return made
