"""Steps as child processes of this machine, forked from a zygote for each kind of image."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

import components
from components.contract.errors import UserError
from components.contract.images import PRELOADED
from components.contract.types import ImageName
from pipelines.engines.machine import zygote
from pipelines.engines.machine.runner import CANCELLED, EXITED, OUT_OF_MEMORY, OUT_OF_TIME, Ended

_ZYGOTE = Path(zygote.__file__)
_POLL_S = 0.2


@dataclass(frozen=True)
class _Server:
    """A running zygote: its process, the socket for requests, and what it complains of."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    errors: IO[bytes]


class Processes:
    """Starts steps through one zygote an image, the first time the image is needed.

    Args:
        preloaded: What the zygote of each image imports before it serves.
    """

    def __init__(self, preloaded: Mapping[ImageName, tuple[str, ...]] = PRELOADED) -> None:
        self._preloaded = preloaded
        self._servers: dict[tuple[str, ...], _Server] = {}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def run(
        self,
        image: ImageName,
        argv: list[str],
        folder: Path,
        log: Path,
        *,
        memory_gb: float,
        time_limit_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run ``python -m components`` with ``argv`` and wait.

        Args:
            image: Whose frameworks it needs.
            argv: Arguments for the entry point.
            folder: Its scratch folder.
            log: Takes what it prints.
            memory_gb: Resident size of the group, in 1e9 bytes, above which it is ended.
            time_limit_s: Wall time after which it is ended.
            environment: What it is told beside what all steps are.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        scratch = folder / "tmp"
        scratch.mkdir(exist_ok=True)
        request = {
            "argv": argv,
            "environment": {"HOME": str(scratch), **(environment or {}), "TMPDIR": str(scratch)},
            "folder": str(folder),
            "log": str(log),
        }
        with ours:
            try:
                server = self._server(image)
                socket.send_fds(server.control, [json.dumps(request).encode()], [theirs.fileno()])
            finally:
                theirs.close()
            ended = self._wait(ours, memory_gb * 1e9, time_limit_s)
        if ended is None:
            raise self._broken(server, image)
        return ended

    def _wait(
        self, channel: socket.socket, memory_bytes: float, time_limit_s: float
    ) -> Ended | None:
        """Watch one step; None when the zygote went away before it could start it."""
        pid, peak, reason, deadline = 0, 0, EXITED, math.inf
        while True:
            if select.select([channel], [], [], _POLL_S)[0]:
                message = channel.recv(4096)
                if not message:  # the zygote is gone, and its children with it
                    return Ended(-signal.SIGKILL, reason, peak) if pid else None
                answer = json.loads(message)
                if "status" in answer:
                    return Ended(answer["status"], reason, peak)
                pid, deadline = answer["pid"], time.monotonic() + time_limit_s
            if self._cancelled.is_set() and not pid:  # still importing
                return Ended(-signal.SIGKILL, CANCELLED, peak)
            peak = max(peak, _group_rss_bytes(pid) if pid else 0)
            if reason == EXITED:
                reason = self._excess(peak > memory_bytes, time.monotonic() > deadline)
                if reason != EXITED:
                    channel.shutdown(socket.SHUT_WR)  # ends the group; its status still comes

    def _excess(self, memory: bool, time_up: bool) -> str:
        if self._cancelled.is_set():
            return CANCELLED
        if memory:
            return OUT_OF_MEMORY
        return OUT_OF_TIME if time_up else EXITED

    def _server(self, image: ImageName) -> _Server:
        modules = self._preloaded[image]
        with self._lock:
            if modules in self._servers and self._servers[modules].process.poll() is None:
                return self._servers[modules]
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            errors = tempfile.TemporaryFile()  # noqa: SIM115 closed with its zygote
            process = subprocess.Popen(
                [sys.executable, "-P", str(_ZYGOTE), str(theirs.fileno()), *modules],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is the engine's to handle
            )
            theirs.close()
            self._servers[modules] = _Server(process, ours, errors)
            return self._servers[modules]

    def _broken(self, server: _Server, image: ImageName) -> UserError:
        server.process.wait()
        server.errors.seek(0)
        last = server.errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        return UserError(
            f"the frameworks for {image} steps cannot be loaded: {last or 'no reason given'}",
            "make install, then slimline doctor",
        )

    def cancel(self) -> None:
        """End all that runs, and all that is started from now on."""
        self._cancelled.set()

    def close(self) -> None:
        """End the zygotes and wait for them."""
        with self._lock:
            for server in self._servers.values():
                server.control.close()
                if self._cancelled.is_set():  # one that still imports would not look at its socket
                    server.process.kill()
                server.process.wait()
                server.errors.close()
            self._servers.clear()


def _environment() -> dict[str, str]:
    """What a step may depend on: nothing of the caller's but where programs and code are."""
    names = ("PATH", "LANG", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "PYTHONPATH": str(Path(components.__path__[0]).parent),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _group_rss_bytes(pid: int) -> int:
    """Resident size of a process and of all it has started."""
    try:
        leader = psutil.Process(pid)
        members = [leader, *leader.children(recursive=True)]
    except psutil.Error:  # it has ended, or the kernel tells nothing of it just now
        return 0
    total = 0
    for member in members:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
