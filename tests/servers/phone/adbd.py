"""Adbd, as a phone runs it: Android's side of the Android Debug Bridge, over TCP.

A program of its own, told by lines on standard input what happens to the phone: ``unplug``,
``plug``, ``doubt`` (it no longer trusts the computer), ``trust``. It answers each with ``done``.

What it does as the real one: version 2 of the shell protocol, standard input and output on one
socket pair, both streams read to their end before the exit code is told, a hang-up for the shell
(and for nothing that it started) where the other side goes away.
References: ``protocol.txt``, ``daemon/shell_service.cpp`` and ``SERVICES.TXT`` of AOSP's
``packages/modules/adb``.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field

_HEADER = struct.Struct("<6I")
_PART = struct.Struct("<BI")
_VERSION, _MAX_DATA = 0x01000001, 256 * 1024
_IN, _OUT, _ERR, _EXIT, _CLOSE_STDIN = 0, 1, 2, 3, 4
_TOKEN, _PUBLIC_KEY = 1, 3
_CNXN, _AUTH, _OPEN, _OKAY, _CLSE, _WRTE = (
    int.from_bytes(name, "little")
    for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)


@dataclass
class Phone:
    """What is true of the phone, and who is connected.

    Attributes:
        shell: Path of its shell.
        environment: The only variables of what is run.
        features: What it says it can do.
        trusts: Whether somebody has allowed debugging.
    """

    shell: str
    environment: dict[str, str]
    features: str
    trusts: bool = True
    links: list[Link] = field(default_factory=list)


@dataclass
class Stream:
    """One service that the other side has opened.

    Attributes:
        remote: Its number over there.
        came: What it sends; None once it has closed.
        taken: Says that our last part has arrived, or with None that none will.
    """

    remote: int
    came: queue.Queue[bytes | None] = field(default_factory=queue.Queue)
    taken: queue.Queue[bool] = field(default_factory=queue.Queue)

    def end(self) -> None:
        """Nothing more comes, and nothing is taken."""
        self.came.put(None)
        self.taken.put(False)


class Link:
    """One connection to a computer."""

    def __init__(self, phone: Phone, connection: socket.socket) -> None:
        self._phone, self._connection = phone, connection
        self._sending = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._next = 1

    def serve(self) -> None:
        """Answer until the connection ends; then end all streams."""
        self._phone.links.append(self)
        with suppress(OSError, EOFError):
            while True:
                command, first, second, size, _, _ = _HEADER.unpack(self._read(_HEADER.size))
                self._handle(command, first, second, self._read(size))
        self._phone.links.remove(self)
        for stream in list(self._streams.values()):
            stream.end()

    def introduce(self) -> None:
        """Say who this is: from then on, services can be opened."""
        banner = (
            "device::ro.product.name=tests;ro.product.model=Phone;ro.product.device=tests;"
            f"features={self._phone.features}"
        )
        self._send(_CNXN, _VERSION, _MAX_DATA, banner.encode())

    def abort(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def write(self, local: int, stream: Stream, kind: int, data: bytes) -> bool:
        """Send a part of the shell protocol, and wait until it was taken; False if it is not."""
        self._send(_WRTE, local, stream.remote, _PART.pack(kind, len(data)) + data)
        return stream.taken.get()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        check = sum(data) & 0xFFFFFFFF
        head = _HEADER.pack(command, first, second, len(data), check, command ^ 0xFFFFFFFF)
        with self._sending, suppress(OSError):
            self._connection.sendall(head + data)

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command in {_CNXN, _AUTH}:
            if self._phone.trusts:
                self.introduce()
            elif command == _CNXN or first != _PUBLIC_KEY:
                self._send(_AUTH, _TOKEN, 0, os.urandom(20))
            # Else the key is on the screen; who touches "Allow" sends the answer.
        elif command == _OPEN:
            local, self._next = self._next, self._next + 1
            stream = self._streams[local] = Stream(first)
            name = data.rstrip(b"\0").decode()
            threading.Thread(target=self._service, args=(local, stream, name), daemon=True).start()
        elif second in self._streams:
            stream = self._streams[second]
            if command == _WRTE:
                stream.came.put(data)
                self._send(_OKAY, second, first)
            elif command == _OKAY:
                stream.taken.put(True)
            elif command == _CLSE:
                stream.end()

    def _service(self, local: int, stream: Stream, name: str) -> None:
        kind, _, line = name.partition(":")
        if kind.startswith("shell,v2"):
            self._send(_OKAY, local, stream.remote)
            _Process(self, local, stream, self._phone, line).run()
        self._send(_CLSE, local, stream.remote)
        self._streams.pop(local, None)


class _Process:
    """A shell that runs one line, between a stream and its sockets."""

    def __init__(self, link: Link, local: int, stream: Stream, phone: Phone, line: str) -> None:
        self._link, self._local, self._stream = link, local, stream
        self._inout, inout = socket.socketpair()
        self._err, err = socket.socketpair()
        self._process = subprocess.Popen(
            [phone.shell, "-c", line], env=phone.environment, stdin=inout, stdout=inout, stderr=err
        )
        inout.close()
        err.close()

    def run(self) -> None:
        """Return when the process has ended and all is told, or nobody is there to be told."""
        pumps = [
            threading.Thread(target=self._pump, args=(source, kind), daemon=True)
            for source, kind in ((self._inout, _OUT), (self._err, _ERR))
        ]
        feeder = threading.Thread(target=self._feed, daemon=True)
        for thread in (*pumps, feeder):
            thread.start()
        for pump in pumps:
            pump.join()
        code = self._process.wait()
        self._link.write(
            self._local, self._stream, _EXIT, bytes([code if code >= 0 else 128 - code])
        )
        self._stream.end()
        feeder.join()
        self._inout.close()
        self._err.close()

    def _pump(self, source: socket.socket, kind: int) -> None:
        taken = True
        with suppress(OSError):
            while taken and (data := source.recv(32 * 1024)):
                taken = self._link.write(self._local, self._stream, kind, data)

    def _feed(self) -> None:
        """Hand on standard input; once the stream has closed, hang up."""
        waiting = b""
        while (data := self._stream.came.get()) is not None:
            waiting += data
            while len(waiting) >= _PART.size:
                kind, size = _PART.unpack_from(waiting)
                if len(waiting) < _PART.size + size:
                    break
                part, waiting = (
                    waiting[_PART.size : _PART.size + size],
                    waiting[_PART.size + size :],
                )
                with suppress(OSError):  # the process reads no more
                    if kind == _IN:
                        self._inout.sendall(part)
                    elif kind == _CLOSE_STDIN:
                        self._inout.shutdown(socket.SHUT_WR)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGHUP)
        for end in (self._inout, self._err):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--features", default="shell_v2,cmd,stat_v2")
    options = parser.parse_args()
    os.chdir(options.home)
    environment = {"PATH": options.programs, "HOME": options.home}
    phone = Phone(f"{options.programs}/sh", environment, options.features)
    server = socket.create_server(("127.0.0.1", options.port))
    threading.Thread(target=_accept, args=(server, phone), daemon=True).start()
    print(server.getsockname()[1], flush=True)
    plugged = threading.Event()
    plugged.set()
    for line in sys.stdin:
        happens = line.strip()
        if happens == "doubt":
            phone.trusts = False
        elif happens == "trust":
            phone.trusts = True
            for link in list(phone.links):
                link.introduce()
        elif happens == "unplug":
            address = server.getsockname()
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            for link in list(phone.links):
                link.abort()
        elif happens == "plug":
            server = socket.create_server(address)
            threading.Thread(target=_accept, args=(server, phone), daemon=True).start()
        print("done", flush=True)


def _accept(server: socket.socket, phone: Phone) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=Link(phone, connection).serve, daemon=True).start()


if __name__ == "__main__":
    main()
