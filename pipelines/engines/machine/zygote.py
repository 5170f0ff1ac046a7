"""The zygote: a single-threaded server that forks a child for every step.

It has imported the frameworks, which takes seconds, and has run no operation of theirs, so that a
child can be forked in milliseconds and behaves like a fresh process. It never imports
``components``: each child reads the code as it is now.

Run as a script, not as a module of its package, because the package imports ``components``:
``python -P zygote.py FD [MODULE ...]``. On the socket ``FD`` (sequenced packets) each request is
one JSON message ``{"argv", "environment", "folder", "log"}`` with one descriptor attached, the
step's own socket. On that the zygote answers ``{"pid"}`` and, when the child and all that it
started have ended, ``{"status"}``. Whoever closes a step's socket ends the step; when the server's
own socket closes, everything ends.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from types import FrameType

MAX_MESSAGE_BYTES = 65_536
_PR_SET_PDEATHSIG = 1


def serve(control: socket.socket, modules: list[str]) -> None:
    """Preload ``modules``, then fork a child a request until ``control`` closes."""
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
    wake, wake_end = socket.socketpair()
    wake.settimeout(0)
    wake_end.settimeout(0)
    signal.signal(signal.SIGCHLD, _wake)
    signal.set_wakeup_fd(wake_end.fileno())
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ, "request")
    selector.register(wake, selectors.EVENT_READ, "child")
    children: dict[int, socket.socket] = {}
    while True:
        for key, _ in selector.select():
            if key.data == "request":
                request, handles, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 1)
                if not request:
                    _end_all(children)
                    return
                channel = socket.socket(fileno=handles[0])
                pid = _fork(json.loads(request), (control, wake, wake_end, channel), children)
                children[pid] = channel
                selector.register(channel, selectors.EVENT_READ, pid)
                _say(channel, {"pid": pid})
            elif key.data == "child":
                wake.recv(4096)
                _reap(children, selector)
            elif key.data in children:  # the step's socket closed: nobody waits for it any more
                selector.unregister(children[key.data])
                _end_group(key.data)


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that a handler exists is what makes the signal reach the wake-up socket."""


def _fork(
    request: dict[str, object],
    sockets: tuple[socket.socket, ...],
    children: dict[int, socket.socket],
) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the zygote died before the line above
            os._exit(1)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for item in (*sockets, *children.values()):
            item.close()
        code = _run(request)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 a child must never return into the server's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise AssertionError


def _run(request: dict[str, object]) -> int:
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(str(request["folder"]))
    environment = request["environment"]
    assert isinstance(environment, dict)
    os.environ.update(environment)  # pyright: ignore[reportUnknownArgumentType]
    tempfile.tempdir = None  # what was imported has asked for it, and the answer is remembered
    return importlib.import_module("components.__main__").main(request["argv"])


def _reap(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        channel = children.pop(pid)
        _end_group(pid)
        _say(channel, {"status": os.waitstatus_to_exitcode(status)})
        if channel in selector.get_map():
            selector.unregister(channel)
        channel.close()


def _say(channel: socket.socket, message: dict[str, int]) -> None:
    try:
        channel.send(json.dumps(message).encode(), socket.MSG_NOSIGNAL)
    except OSError:
        return  # whoever asked has gone; its closed socket ends the step


def _end_group(pid: int) -> None:
    for end in (os.killpg, os.kill):  # before its setsid the child leads no group yet
        try:
            end(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _end_all(children: dict[int, socket.socket]) -> None:
    for pid in children:
        _end_group(pid)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
