"""Steps as child processes of this machine, forked from a zygote for each kind of image."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

import components
from components.interface import Image
from pipelines.engines import zygote
from pipelines.engines.jobs import CANCELLED, EXITED, OUT_OF_MEMORY, OUT_OF_TIME, Ended

_ZYGOTE = Path(zygote.__file__)
_POLL_S = 0.2
_PRELOADED: dict[Image, tuple[str, ...]] = {
    "train": (
        "pydantic",
        "yaml",
        "numpy",
        "tensorflow",
        "tf_keras",
        "tensorflow_model_optimization",
        "safetensors.numpy",
        "PIL.Image",
    ),
    "device": ("pydantic", "yaml"),
    "light": ("pydantic", "yaml"),
}


class Processes:
    """Starts steps through one zygote an image, the first time the image is needed."""

    def __init__(self) -> None:
        self._zygotes: dict[str, tuple[subprocess.Popen[bytes], socket.socket]] = {}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def warm(self, image: Image) -> None:
        """Start importing the frameworks of ``image`` now, since they will be needed."""
        self._server(image)

    def run(
        self, image: Image, argv: list[str], folder: Path, *, memory_gb: float, time_limit_s: float
    ) -> Ended:
        """Run ``python -m components`` with ``argv`` and wait.

        Args:
            image: Whose frameworks it needs.
            argv: Arguments for the entry point.
            folder: Its scratch folder; ``log`` in it takes what it prints.
            memory_gb: Resident size of the group, in 1e9 bytes, above which it is ended.
            time_limit_s: Wall time after which it is ended.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        scratch = folder / "tmp"
        scratch.mkdir(exist_ok=True)
        request = {
            "argv": argv,
            "environment": {"TMPDIR": str(scratch), "HOME": str(scratch)},
            "folder": str(folder),
            "log": str(folder / "log"),
        }
        with ours:
            try:
                server = self._server(image)
                socket.send_fds(server, [json.dumps(request).encode()], [theirs.fileno()])
            finally:
                theirs.close()
            return self._wait(ours, memory_gb * 1e9, time_limit_s)

    def _wait(self, channel: socket.socket, memory_bytes: float, time_limit_s: float) -> Ended:
        pid, peak, reason = 0, 0, EXITED
        deadline = float("inf")
        while True:
            if select.select([channel], [], [], _POLL_S)[0]:
                message = channel.recv(4096)
                if not message:  # the zygote itself has been killed, and its children with it
                    return Ended(-signal.SIGKILL, reason, peak)
                answer = json.loads(message)
                if "status" in answer:
                    return Ended(answer["status"], reason, peak)
                pid = answer["pid"]
                deadline = time.monotonic() + time_limit_s
            if not pid:  # the frameworks are still being imported
                if self._cancelled.is_set():
                    return Ended(-signal.SIGKILL, CANCELLED, peak)
                continue
            peak = max(peak, _group_rss_bytes(pid))
            if reason == EXITED:
                if self._cancelled.is_set():
                    reason = CANCELLED
                elif peak > memory_bytes:
                    reason = OUT_OF_MEMORY
                elif time.monotonic() > deadline:
                    reason = OUT_OF_TIME
                if reason != EXITED:
                    channel.shutdown(socket.SHUT_WR)  # ends the group; its status still comes

    def _server(self, image: Image) -> socket.socket:
        name = "train" if image == "train" else "plain"
        with self._lock:
            if name in self._zygotes and self._zygotes[name][0].poll() is None:
                return self._zygotes[name][1]
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            process = subprocess.Popen(
                [
                    sys.executable, "-P", str(_ZYGOTE), str(theirs.fileno()), *_PRELOADED[image],
                ],  # fmt: skip
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is the engine's to handle
            )
            theirs.close()
            self._zygotes[name] = (process, ours)
            return ours

    def cancel(self) -> None:
        """End all that runs, and all that is started from now on."""
        self._cancelled.set()

    def close(self) -> None:
        """End the zygotes and wait for them."""
        with self._lock:
            for process, control in self._zygotes.values():
                control.close()
                process.wait()
            self._zygotes.clear()


def _environment() -> dict[str, str]:
    """What a step may depend on: nothing of the caller's but where programs and code are."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TF_ENABLE_ONEDNN_OPTS")
        if name in os.environ
    }
    return kept | {
        "PYTHONPATH": str(Path(components.__path__[0]).parent),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _group_rss_bytes(pid: int) -> int:
    """Resident size of a process and of all it has started."""
    try:
        leader = psutil.Process(pid)
        members = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for member in members:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
