"""The lock on a device: one winner of many, also after a restart; a dead engine holds nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.lock import DeviceLock, holder_here, is_dead
from components.devices.remote.shell import ShellAnswer
from tests.components.devices.remote.host_shell import KINDS, HostShell


class Board:
    """A device whose clock and starts are ours."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.shell = HostShell(folder, kind, name="pi5")
        self._files = folder / "boot_id", folder / "uptime"
        self.folder = folder / "slimline"
        self.starts, self.uptime_s = 0, 0.0
        self.restart()

    def restart(self) -> None:
        self.starts += 1
        self._files[0].write_text(f"boot-{self.starts}\n")
        self.wait(-self.uptime_s + 20)

    def wait(self, time_s: float) -> None:
        self.uptime_s += time_s
        self._files[1].write_text(f"{self.uptime_s:.2f} 40.00\n")

    def lock(self, holder: str, **more: Any) -> DeviceLock:
        boot_id, uptime = map(str, self._files)
        return DeviceLock(
            self.shell, "pi5", str(self.folder), holder, boot_id=boot_id, uptime=uptime, **more
        )


@pytest.fixture(params=KINDS)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    return Board(tmp_path, str(request.param))


def winners(board: Board, count: int = 8) -> list[str]:
    """Return who of many that try at the same moment gets it; none gives it back."""
    ready = threading.Barrier(count)

    def attempt(place: int) -> str | None:
        ready.wait()
        try:
            board.lock(f"engine {place}", lease_s=100).__enter__()
        except UserError:
            return None
        return f"engine {place}"

    with ThreadPoolExecutor(count) as pool:
        return [each for each in pool.map(attempt, range(count)) if each is not None]


def test_of_eight_at_once_one_gets_it_and_one_after_a_restart_or_a_lease(board):
    assert len(winners(board)) == 1
    assert winners(board, count=2) == []
    board.restart()
    assert len(winners(board)) == 1
    board.wait(101)
    assert len(winners(board)) == 1


def test_nobody_else_is_in_while_one_is(board):
    inside: list[int] = []
    most: list[int] = []

    def use(place: int) -> None:
        for _ in range(2):
            with board.lock(f"engine {place}", wait_s=60):
                inside.append(place)
                most.append(len(inside))
                time.sleep(0.01)
                inside.remove(place)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert most == [1] * 8
    assert list((board.folder / "lock").iterdir()) == []


def test_who_comes_second_is_told_who_has_it_and_gets_it_when_that_has_ended(board):
    with board.lock("ada on lab (process 7)", lease_s=100):
        board.wait(30)
        with pytest.raises(UserError) as caught, board.lock("bob"):
            pass
    fault = caught.value
    assert fault.what == "pi5 is in use by ada on lab (process 7), for 70 s more at most"
    assert "slimline run --without pi5" in fault.fix
    with board.lock("bob"):  # the fix
        pass


def test_a_lease_is_renewed_unless_somebody_has_taken_it_over(board):
    with board.lock("ada", lease_s=10) as lock:
        board.wait(8)
        lock.renew(10)
        board.wait(8)
        with pytest.raises(UserError), board.lock("bob"):
            pass
        board.wait(3)
        with board.lock("bob", lease_s=1000), pytest.raises(UserError, match="in use by bob"):
            lock.renew(10)
        lock.renew(10)


def test_who_was_too_late_does_not_give_back_what_is_now_another_s(board):
    first = board.lock("ada", lease_s=10)
    first.__enter__()
    board.wait(11)
    with board.lock("bob", lease_s=100):
        first.__exit__(None, None, None)
        with pytest.raises(UserError, match="in use by bob"), board.lock("carl"):
            pass


def test_a_shell_that_was_killed_in_the_middle_of_a_change_is_no_obstacle(board):
    """After a restart at once, without one after a minute."""
    with board.lock("ada"):
        pass
    middle = board.folder / "lock" / "changing-boot-1"
    middle.mkdir(parents=True)
    hour_ago = time.time() - 3600
    os.utime(middle, (hour_ago, hour_ago))
    with board.lock("ada"):
        pass
    middle.mkdir(parents=True)
    board.restart()
    with board.lock("ada"):
        pass


def test_a_damaged_lock_is_none(board):
    (board.folder / "lock").mkdir(parents=True)
    (board.folder / "lock" / "holder").write_text("what\n")
    with board.lock("ada"):
        pass


def test_a_folder_that_was_removed_in_between_stays_away(board):
    with board.lock("ada"):
        shutil.rmtree(board.folder)
    assert not board.folder.exists()


def test_where_no_lock_can_be_made_the_user_is_told_what_to_set(tmp_path):
    board = Board(tmp_path, "sh")
    good, board.folder = board.folder, Path("/proc/slimline")
    with pytest.raises(UserError, match="write into /proc/slimline/lock") as caught:
        board.lock("ada").__enter__()
    assert "set `dir` of pi5" in caught.value.fix
    board.folder = good
    with board.lock("ada"):  # the fix
        pass


def test_a_device_that_goes_away_does_not_hide_what_was_measured(tmp_path):
    board = Board(tmp_path, "sh")
    with board.lock("ada") as lock:
        lock._shell = Gone()
    with pytest.raises(LostError):
        lock.renew(1)


class Gone:
    """A shell whose device has gone away."""

    def run(self, script: str, *args: str, **more: Any) -> ShellAnswer:
        raise LostError("pi5 went away")

    push: Callable[..., None]
    close: Callable[[], None]


def test_the_real_clock_and_start_of_a_device_are_read(tmp_path):
    shell = HostShell(tmp_path)
    with DeviceLock(shell, "pi5", str(tmp_path / "ours"), holder_here(), lease_s=100):
        token, boot_id, until, holder = (tmp_path / "ours/lock/holder").read_text().splitlines()
    assert len(token) == 16
    assert boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert uptime_s < int(until) <= uptime_s + 100
    assert f"(process {os.getpid()} of " in holder


def test_what_a_dead_process_of_this_machine_holds_is_taken_at_once(board):
    """A device that was unplugged while it measured is locked still when it is plugged in again."""
    code = "from components.devices.remote.lock import holder_here; print(holder_here())"
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    dead = made.stdout.strip()
    board.lock(dead, lease_s=900).__enter__()
    with board.lock("the next", lease_s=900):
        pass
    board.lock(holder_here(), lease_s=900).__enter__()
    with pytest.raises(UserError, match="is in use by"):
        board.lock("another").__enter__()


def test_what_a_process_elsewhere_holds_is_not_known_to_be_dead(board):
    elsewhere = "me on lab (process 999999999 of 00000000)"
    assert not is_dead(elsewhere)
    assert not is_dead("somebody")
    board.lock(elsewhere, lease_s=900).__enter__()
    with pytest.raises(UserError, match="is in use by me on lab"):
        board.lock("another").__enter__()
