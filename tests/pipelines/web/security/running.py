"""The server on a port of this machine, and browsers and others that talk to it."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import uvicorn

from pipelines.stores.store import Store
from pipelines.web.app import make_pages
from pipelines.web.guards import guarded
from pipelines.web.request_counts import RequestCounts
from pipelines.web.security.codes import CodeWay
from pipelines.web.security.connections import bounded
from pipelines.web.security.faults import Faults
from pipelines.web.security.ways import Way, way_of
from pipelines.web.service import Service
from pipelines.web.serving import configured
from pipelines.web.settings import ServeSettings

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Served:
    """A server that runs."""

    service: Service
    way: Way
    port: int
    said: list[str]

    @property
    def host(self) -> str:
        """What browsers of this machine call it."""
        return f"127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        headers: Mapping[str, str | list[str]] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """Send a request as it is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"host": self.host, **(headers or {})}
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                for one in [value] if isinstance(value, str) else value:
                    connection.putheader(name, one)
            if method == "POST":
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read().decode())

    def socket(self) -> socket.socket:
        """Connect, and say nothing."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def browser(self) -> Browser:
        """Return a browser in which somebody has signed in, where a code is the way."""
        found = Browser(self)
        if isinstance(self.way, CodeWay):
            assert found.get(f"/enter?code={self.way.new_code()}").status == 303
        return found


@dataclass
class Browser:
    """Keeps cookies, and sends what browsers send."""

    served: Served
    headers: dict[str, str] = field(default_factory=dict[str, str])
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return self._kept(self.served.ask(path, self._sent({"accept": "text/html", **headers})))

    def csrf(self) -> str:
        """Return what the forms of a page send along."""
        if self.served.way.cookie is None:  # no form is on every page
            headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
            session = self.served.way.session({"client": ("127.0.0.1", 1), "headers": headers})
            assert session.csrf
            return session.csrf[0]
        found = _CSRF.search(self.get("/nowhere").text)
        assert found
        return found[1]

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Send a form of a page of the server; headers say what is different."""
        usual = {
            "accept": "text/html", "origin": f"http://{self.served.host}",
            "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        wanted = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = self._sent({name: value for name, value in wanted.items() if value})
        body = urlencode(fields).encode()
        return self._kept(self.served.ask(path, sent, method="POST", body=body))

    def act(self, path: str = "/wake", **fields: str) -> Answer:
        """Do something as a page's own form does."""
        return self.post(path, {"csrf": self.csrf(), **fields})

    def _sent(self, headers: Mapping[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**self.headers, **({"cookie": cookies} if cookies else {}), **headers}

    def _kept(self, answer: Answer) -> Answer:
        if given := answer.headers.get("set-cookie"):
            name, _, rest = given.partition("=")
            value = rest.partition(";")[0]
            if "max-age=0" in rest.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


@contextlib.contextmanager
def serving(
    store: Store, settings: ServeSettings | None = None, **bounds: float
) -> Generator[Served]:
    """Serve a store until the block ends.

    Args:
        store: What pages show.
        settings: How; None: a code is the way in.
        **bounds: Of connections.
    """
    said: list[str] = []
    settings = settings or ServeSettings(store=store.uri)
    faults, requests = Faults(said.append), RequestCounts()
    service = Service(store, settings, faults=faults, requests=requests)
    service.refresh()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen(300)
        port = bound.getsockname()[1]
        way = way_of(settings, port)
        app = guarded(make_pages(service), settings, way, faults, requests)
        server = uvicorn.Server(configured(app, bounded(service.faults, **bounds)))  # pyright: ignore[reportArgumentType]
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Served(service, way, port, said)
        finally:
            server.should_exit = True
            thread.join()
            service.stop()
