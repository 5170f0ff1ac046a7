"""Connections that are slow, many, or say what is no HTTP."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web.security import connections
from pipelines.web.security.limits import BodyGuard
from tests.pipelines.web.security.running import Served, serving

MOST = 12


@pytest.fixture
def served(store: DirectoryStore) -> Iterator[Served]:
    """A server that waits half a second for a request, and a second for an answer to be read."""
    with serving(store, head_s=0.5, stalled_s=1.0, most=MOST) as served:
        yield served


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends a connection, which this waits for."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", b"G"])
def test_a_request_that_does_not_begin_is_not_waited_for(served: Served, said: bytes) -> None:
    with served.socket() as connection:
        connection.sendall(said)
        assert is_closed(connection)
    assert "no request was there within 0.5 s" in served.said[-1]


def test_one_byte_after_the_other_does_not_lengthen_the_time(served: Served) -> None:
    with served.socket() as connection, contextlib.suppress(OSError):
        began = time.monotonic()
        for letter in b"GET /runs HTTP/1.1\r\n" + b"x: y\r\n" * 1000:
            connection.sendall(bytes([letter]))
            time.sleep(0.05)
    assert time.monotonic() - began < 10, "300 s, if it waited for all of it"


def test_a_second_request_has_its_own_time(served: Served) -> None:
    with served.socket() as connection:
        head = f"GET /alive HTTP/1.1\r\nhost: {served.host}\r\n\r\n".encode()
        for _ in range(3):
            connection.sendall(head)
            got = b""
            while not got.endswith(b"ok\n"):
                got += connection.recv(4096)
            time.sleep(0.4)
        connection.sendall(head[:10])
        assert is_closed(connection)


def test_idle_connections_make_room_for_new_ones(served: Served) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(4 * MOST):
            held.enter_context(served.socket())
        assert served.ask("/alive").status == 200


def test_where_all_are_busy_the_new_one_is_refused(served: Served) -> None:
    head = f"POST /wake HTTP/1.1\r\nhost: {served.host}\r\ncontent-length: 9\r\n\r\n".encode()
    with contextlib.ExitStack() as held:
        busy = [held.enter_context(served.socket()) for _ in range(MOST)]
        for connection in busy:
            connection.sendall(head)
        time.sleep(0.3)
        with served.socket() as late:
            assert is_closed(late)
        for connection in busy:
            connection.sendall(b"csrf=abcd")
            assert connection.recv(4096).startswith(b"HTTP/1.1 401")
        assert served.ask("/alive").status == 200


def test_a_body_that_does_not_come_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = BodyGuard.__call__

    async def soon(self: BodyGuard, *given: object) -> None:
        self._body_s = 0.3
        await before(self, *given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(BodyGuard, "__call__", soon)
    monkeypatch.setattr(connections, "_REST_S", 0.3)
    with served.socket() as connection:
        connection.sendall(
            f"POST /wake HTTP/1.1\r\nhost: {served.host}\r\ncontent-length: 9\r\n\r\na".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")
        assert is_closed(connection)


def test_an_answer_that_is_not_read_is_given_up(served: Served) -> None:
    """Many requests in a row whose answers nobody takes."""
    browser = served.browser()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    head = f"GET /runs HTTP/1.1\r\nhost: {served.host}\r\ncookie: {cookie}\r\n\r\n".encode()
    with served.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 30:
                connection.sendall(head)
        for _ in range(100):
            if any("was not read on" in line for line in served.said):
                break
            time.sleep(0.1)
    assert any("was not read on" in line for line in served.said)
    assert served.ask("/alive").status == 200


def test_what_is_no_http_is_refused_and_told(served: Served) -> None:
    with served.socket() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert any("what is no HTTP" in line for line in served.said)


def test_a_long_head_is_refused(served: Served) -> None:
    with served.socket() as connection, contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 70_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 4")
