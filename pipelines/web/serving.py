"""``slimline serve``: the server's socket, its links with codes, and its end."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from components.contract.errors import UserError
from pipelines.stores.store import Store
from pipelines.web.guards import guarded
from pipelines.web.late_pages import Background, LatePages
from pipelines.web.request_counts import RequestCounts
from pipelines.web.security.codes import CodeWay
from pipelines.web.security.connections import MOST, BoundedConnection, bounded
from pipelines.web.security.faults import Faults
from pipelines.web.security.sessions import ENTER
from pipelines.web.security.ways import Way, way_of
from pipelines.web.settings import LOOPBACK, ServeSettings

_KEEP_ALIVE_S, _GRACE_S = 15, 1
_HEAD_BYTES = 16 * 1024


class _EndingServer(uvicorn.Server):
    """Ends at a signal as at its usual end: who serves until then has not failed.

    Args:
        config: Of uvicorn.
        on_end: Called when the first signal comes.
    """

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Have the first signal end the server, and the second one end it at once."""
        taken = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in taken}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def end(self) -> None:
        """End without a signal."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if not self.should_exit:
            self._on_end()
        super().handle_exit(sig, frame)


def serve(
    store: Store,
    settings: ServeSettings,
    *,
    on_ready: Callable[[str], None],
    say: Callable[[str], None],
    on_end: Callable[[], None],
) -> None:
    """Serve pages until a signal ends it.

    Args:
        store: What pages show.
        settings: How.
        on_ready: Told the address to open, once connections are taken.
        say: Told what the owner of the server should know.
        on_end: Called when the end begins. What a page has begun may take long; nothing that goes
            on in this process is harmed where it ends at once.

    Raises:
        UserError: The port is taken, or not allowed, or a file with secrets cannot be used.
    """
    with contextlib.closing(listening(settings)) as bound:
        port = int(bound.getsockname()[1])
        way = way_of(settings, port)
        faults, requests = Faults(say), RequestCounts()
        pages = LatePages(partial(_make, store, settings, faults, requests), lambda: server.end())
        app = guarded(pages, settings, way, faults, requests)
        server = _EndingServer(configured(app, bounded(faults)), on_end)
        address = _address(settings, port)
        if settings.address not in LOOPBACK and not settings.https:
            say(
                "what browsers send and get is not encrypted: put a proxy with a certificate in "
                "front, and write https: true into the settings"
            )
        with server.capture_signals():  # whoever reads the link may send one at once
            if isinstance(way, CodeWay):
                _give_codes(lambda: say(f"open {_link(address, way)}"))
            on_ready(_link(address, way))
            pages.start()
            try:
                server.run(sockets=[bound])
            finally:
                pages.stop()


def _make(
    store: Store, settings: ServeSettings, faults: Faults, requests: RequestCounts
) -> tuple[Background, ASGIApp]:
    """Load the pages, which takes longer than all that a start needs beside them."""
    from pipelines.web.app import make_pages
    from pipelines.web.service import Service

    service = Service(store, settings, faults=faults, requests=requests)
    return service, make_pages(service)


def configured(app: ASGIApp, connection: type[BoundedConnection]) -> uvicorn.Config:
    """Return how uvicorn serves: it believes no header of who asks, and prints nothing itself."""
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        http=connection,
        ws="none",
        timeout_graceful_shutdown=_GRACE_S,
    )


def _address(settings: ServeSettings, port: int) -> str:
    """Return where this machine's own browser finds the server."""
    if settings.https and settings.hosts:
        return f"https://{settings.hosts[0]}{settings.prefix}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.address, settings.address)  # noqa: S104
    at = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return f"{at}{settings.prefix}"


def _link(address: str, way: Way) -> str:
    return f"{address}{ENTER}?code={way.new_code()}" if isinstance(way, CodeWay) else address


def _give_codes(give: Callable[[], None]) -> None:
    """Give another link whenever somebody presses Enter in the terminal, or sends a signal."""

    def answer(_number: int, _frame: FrameType | None) -> None:
        # Not here: what the signal interrupted may hold a lock, or be amid a line that it prints.
        threading.Thread(target=give, name="code", daemon=True).start()

    signal.signal(signal.SIGUSR1, answer)
    if not sys.stdin.isatty():
        return
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # in the background there is no terminal to read

    def listen() -> None:
        with contextlib.suppress(OSError, ValueError):
            for _ in sys.stdin:
                give()

    threading.Thread(target=listen, name="codes", daemon=True).start()


def listening(settings: ServeSettings) -> socket.socket:
    """Return the socket that takes connections.

    Its protocol is named: asyncio sends at once (``TCP_NODELAY``) only on connections that say it.
    Else the second part of an answer waits for the browser's word on the first, often 40 ms.

    Raises:
        UserError: The port is taken, or the address or port not allowed.
    """
    address = "127.0.0.1" if settings.address == "localhost" else settings.address
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, settings.port))
        made.listen(MOST)
    except OSError as error:
        made.close()
        raise UserError(
            f"{settings.address}:{settings.port} cannot be listened on: {error.strerror}",
            "give another --port, or --port 0 for any that is free"
            if settings.address in LOOPBACK
            else "give an address of this machine, and a port that this user may use",
        ) from None
    return made
