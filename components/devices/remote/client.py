"""A client program, such as ssh or adb, that runs one framed script elsewhere."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from components.devices.device import LostError
from components.devices.remote.framing import Frame
from components.devices.remote.shell import ShellAnswer

_LOOK_S = 0.1  # between two looks whether the client has ended
_LEAVE_S = 1.0  # for a client to end of its own accord, once it has answered
_ERRORS_S = 1.0  # for the end of the errors, once that of the output has come
_PART_BYTES = 1 << 16


@dataclass(frozen=True)
class Silence:
    """How a client ended that brought no answer.

    Attributes:
        code: Its exit code; None where it was still waiting when the time was over.
        begun: Whether the script had begun to run.
        err: What came as errors: from the client, mostly.
        frozen_s: For how long the other side has given no sign of life; 0 where nobody asked for
            one, or it gave one.
    """

    code: int | None
    begun: bool
    err: str
    frozen_s: float = 0.0

    def loss(self, name: str, limit_s: float, why: str = "") -> LostError:
        """Return the error that a device has gone away.

        Args:
            name: Of the device.
            limit_s: How long an answer was waited for.
            why: What its client says; without it, the last of what came as errors.
        """
        if self.frozen_s:
            return LostError(f"{name} went away: no sign of life for {self.frozen_s:.0f} s")
        if self.code is None:
            return LostError(f"{name} went away: no answer in {limit_s:g} s")
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        said = why or (lines[-1] if lines else "its connection broke off")
        return LostError(f"{name} went away: {said}")


@dataclass(frozen=True)
class Heartbeat:
    """How a side that is frozen is told from one that is busy with a script that says nothing.

    Attributes:
        after_s: For how long nothing has come when it is asked, and each time until it is again.
        answers: Asks it, over a connection of its own; False where it was silent for too long.
    """

    after_s: float
    answers: Callable[[], bool]


def converse(
    command: Sequence[str],
    frame: Frame,
    *,
    data: bytes | None = None,
    hold: bool = False,
    limit_s: float = 60.0,
    environment: Mapping[str, str] | None = None,
    heartbeat: Heartbeat | None = None,
) -> ShellAnswer | Silence:
    """Run a client until the script has answered, the client has ended or the time is over.

    Args:
        command: The client with all its arguments.
        frame: The script; the client must hand it our standard input.
        data: Follows the script on standard input.
        hold: Keep standard input open until the answer.
        limit_s: How long to wait for the answer.
        environment: Of the client, when not ours.
        heartbeat: Tells that the other side is frozen; without one, ``limit_s`` has to pass.
    """
    client = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        bufsize=0,
    )
    talk = _Talk(client, frame, frame.program + (data or b""), hold=hold)
    until = time.monotonic() + limit_s
    in_time, pulse = True, _Pulse(heartbeat)
    try:
        while not talk.over:
            left_s = until - time.monotonic()
            if left_s <= 0:
                in_time = False
                break
            moved = talk.move(min(left_s, _LOOK_S))
            if (not moved and client.poll() is not None) or pulse.stopped(moved=moved):
                break
            if talk.out_ended:
                until = min(until, time.monotonic() + _ERRORS_S)
    finally:
        talk.end(_LEAVE_S if talk.out_ended else 0)
        pulse.end()
    return frame.answer(talk.out, talk.err) or Silence(
        code=client.returncode if in_time else None,
        begun=frame.begun(talk.out),
        err=frame.without_markers(talk.err).decode(errors="replace"),
        frozen_s=pulse.frozen_s,
    )


class _Pulse:
    """Asks for signs of life whenever nothing comes, beside whoever waits."""

    def __init__(self, heartbeat: Heartbeat | None) -> None:
        self._heartbeat = heartbeat
        self._last_s = time.monotonic()
        self._asking: threading.Thread | None = None
        self._answered = True
        self.frozen_s = 0.0

    def stopped(self, *, moved: bool) -> bool:
        """Whether the other side was asked and silent.

        Args:
            moved: Whether anything has come or gone since the last call.
        """
        if self._heartbeat is None:
            return False
        now_s = time.monotonic()
        if moved:
            self._last_s = now_s
        if self._asking is None:
            if now_s - self._last_s > self._heartbeat.after_s:
                self._asking = threading.Thread(target=self._ask, args=(self._heartbeat,))
                self._asking.start()
            return False
        if self._asking.is_alive():
            return False
        self._asking = None
        silent_s = now_s - self._last_s
        if self._answered or silent_s <= self._heartbeat.after_s:
            self._last_s = now_s
            return False
        self.frozen_s = silent_s
        return True

    def end(self) -> None:
        """Wait until nobody asks any more."""
        if self._asking is not None:
            self._asking.join()

    def _ask(self, heartbeat: Heartbeat) -> None:
        self._answered = heartbeat.answers()


class _Talk:
    """The pipes of a client, without waiting for their ends.

    What else holds them, such as a connection kept for the next run or a process that a script
    left behind, need not end with the script.
    """

    def __init__(
        self, client: subprocess.Popen[bytes], frame: Frame, to_send: bytes, *, hold: bool
    ) -> None:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stderr is not None
        self.out, self.err = bytearray(), bytearray()
        self.out_ended = self.err_ended = False
        self._client, self._frame, self._hold = client, frame, hold
        self._rest = memoryview(to_send)
        self._stdin, self._stdout, self._stderr = client.stdin, client.stdout, client.stderr
        self._pipes = selectors.DefaultSelector()
        self._pipes.register(self._stdin, selectors.EVENT_WRITE)
        self._pipes.register(self._stdout, selectors.EVENT_READ)
        self._pipes.register(self._stderr, selectors.EVENT_READ)
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe.fileno(), False)

    @property
    def over(self) -> bool:
        """Whether the script has ended and all that it said is here."""
        return self.out_ended and self.err_ended

    def move(self, wait_s: float) -> bool:
        """Send and receive what can be; False where nothing could in all that time."""
        ready = [key.fileobj for key, _ in self._pipes.select(wait_s)]
        if self._stdin in ready:
            self._send()
        if self._stderr in ready:
            start = self._receive(self._stderr, self.err)
            self.err_ended = self.err_ended or self._frame.err_ended(self.err, start)
        if self._stdout in ready:
            start = self._receive(self._stdout, self.out)
            self.out_ended = self.out_ended or self._frame.ended(self.out, start)
        return bool(ready)

    def end(self, wait_s: float) -> None:
        """Close standard input, and end the client if it does not in time."""
        self._stdin.close()
        try:
            self._client.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._client.kill()
            self._client.wait()
        self._stdout.close()
        self._stderr.close()
        self._pipes.close()

    def _send(self) -> None:
        try:
            sent = os.write(self._stdin.fileno(), self._rest[:_PART_BYTES])
        except BrokenPipeError:  # what the client has to say about that is still to be read
            self._drop(self._stdin)
            return
        self._rest = self._rest[sent:]
        if self._rest:
            return
        self._pipes.unregister(self._stdin)
        if not self._hold:
            self._stdin.close()

    def _receive(self, pipe: IO[bytes], into: bytearray) -> int:
        """Take in what is there; return from where on an end marker may be new."""
        start = max(len(into) - self._frame.marker_size, 0)
        part = os.read(pipe.fileno(), _PART_BYTES)
        if part:
            into += part
        else:
            self._drop(pipe)
        return start

    def _drop(self, pipe: IO[bytes]) -> None:
        self._pipes.unregister(pipe)
        pipe.close()
