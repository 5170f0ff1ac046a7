"""An adb server that has USB ports with faults: no test has a cable to pull or rules to forget.

The client is the real one; the sentences are those of adb 29 to 35, which the server makes up and
the client prints.
Reference: ``SERVICES.TXT`` of AOSP's ``packages/modules/adb``.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

_VERSION = 41  # of the protocol between client and server, since 2018


class UsbFaults:
    """Runs inside ``with``; answers every question for a phone with a fault.

    Args:
        fault: The sentence.
        listed: What ``adb devices -l`` prints below its head.

    Attributes:
        asked: What it was asked, in order.
    """

    def __init__(self, fault: str, listed: str = "") -> None:
        self._fault, self._listed = fault, listed
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            size = int(stream.read(4) or b"0", 16)
            question = stream.read(size).decode()
            self.asked.append(question)
            if question == "host:version":
                connection.sendall(b"OKAY" + _counted(f"{_VERSION:04x}"))
            elif question == "host:devices-l":
                connection.sendall(b"OKAY" + _counted(self._listed))
            else:
                connection.sendall(b"FAIL" + _counted(self._fault))


def _counted(text: str) -> bytes:
    return f"{len(text):04x}{text}".encode()
