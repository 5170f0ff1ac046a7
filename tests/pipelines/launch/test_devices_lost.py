"""Devices that something happens to while they measure: a whole run, and the same again afterwards.

The step alone fails, and what waited for that device is skipped; all others go on. Running again
measures what is missing, and no process and no folder is left on the device.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.components.devices.remote.linked_runtime import kept
from tests.data.disks import mounted
from tests.pipelines.engines.reached import BOARD, sshd
from tests.pipelines.launch.with_devices import (
    VARIANTS,
    WholeRun,
    adb,
    keep_runtime,
    phone,
    phone_section,
)
from tests.servers.kfp.cluster import LocalRun
from tests.servers.phone.phone import Adb, Phone
from tests.servers.sshd import Sshd

__all__ = ["adb", "kept", "phone", "sshd"]

LONG = {"blocks": 40, "block_ms": 50.0}
"""A timed process that takes some seconds, so that something can happen to it."""


class Happening:
    """Does something once a probe runs in a folder of a device."""

    def __init__(self, folder: Path, does: Callable[[], object]) -> None:
        self._folder, self._does = folder, does
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self.happened = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        assert self.happened, "a probe ran"

    def _wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if any(str(self._folder).encode() in line for line in probes()):
                self._does()
                self.happened = True
                return
            time.sleep(0.02)


def probes() -> list[bytes]:
    """Return the command lines of the probes that run anywhere on this machine."""
    found: list[bytes] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"/probe.py\0" in line and b"faulthandler" in line:
                found.append(line)
    return found


def nothing_left(folder: Path) -> bool:
    """Whether no process runs in a folder and no process's folder is there; soon at least."""
    for _ in range(200):
        running = any(str(folder).encode() in line for line in probes())
        if not running and not list(folder.glob("run-*")):
            return True
        time.sleep(0.05)
    return False


def steps_on(device: str) -> set[str]:
    return {f"benchmark-{variant}-{device}" for variant in VARIANTS}


def check_lost(whole: WholeRun, lost: str, other: str | None) -> str:
    """Check that one step on a device failed and took its others along; return what it says."""
    failed = whole.failed()
    assert len(failed) == 1, failed
    (step,) = failed
    assert step in steps_on(lost)
    if other:
        assert steps_on(other) <= whole.executed(), "other devices go on"
    assert "select" in whole.skipped()
    assert steps_on(lost) <= whole.skipped() | set(failed) | whole.executed()
    return f"{failed[step].what}; {failed[step].fix}"


def check_again(whole: WholeRun, lost: str, other: str | None) -> None:
    """Check that the same again measures what is missing, and nothing else."""
    before = whole.executed()
    assert whole.run().outcome == "done", whole.failed()
    measured = {one for one in whole.executed() if one.startswith("benchmark")}
    assert measured == steps_on(lost) - before
    assert measured
    assert not other or not measured & steps_on(other)


@pytest.fixture
def whole(sshd: Sshd, phone: Phone, kept: Path, tiny_run: LocalRun, tmp_path: Path) -> WholeRun:
    keep_runtime()
    return WholeRun(tmp_path, tiny_run, [BOARD | LONG, phone_section(phone) | LONG])


def test_a_phone_that_is_unplugged(whole: WholeRun, phone: Phone, adb: Adb) -> None:
    there = phone.folder / "there"
    with Happening(there, phone.unplug):
        assert whole.run().outcome == "failed"
    assert "phone" in check_lost(whole, "phone", "board")
    assert nothing_left(there)
    phone.plug()
    adb.await_state(phone.serial, "device")
    check_again(whole, "phone", "board")
    assert nothing_left(there)


@pytest.mark.slow
def test_an_adb_server_that_another_one_ends(whole: WholeRun, phone: Phone, adb: Adb) -> None:
    there = phone.folder / "there"
    with Happening(there, lambda: adb.ask("kill-server")):
        assert whole.run().outcome == "failed"
    told = check_lost(whole, "phone", "board")
    assert "phone went away" in told
    assert nothing_left(there)
    adb.ask("connect", phone.serial)
    adb.await_state(phone.serial, "device")
    check_again(whole, "phone", "board")


@pytest.mark.slow
def test_a_board_that_freezes(whole: WholeRun, sshd: Sshd, tmp_path: Path) -> None:
    there = tmp_path / "home/.cache/slimline"
    with Happening(there, sshd.freeze):
        assert whole.run().outcome == "failed"
    try:
        assert "board went away" in check_lost(whole, "board", "phone")
    finally:
        sshd.thaw()
    assert nothing_left(there)
    check_again(whole, "board", "phone")


@pytest.fixture
def boot_id(tmp_path: Path) -> Path:
    """A file with the boot id that the board has, which a restart changes."""
    path = tmp_path / "boot_id"
    path.write_text("11111111-1111-1111-1111-111111111111\n")
    return path


@pytest.fixture
def restarting(
    boot_id: Path, kept: Path, tiny_run: LocalRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[WholeRun, Sshd]]:
    """A board with a boot id of its own: what a login runs sees that file in the system's place."""
    home = tmp_path / "home"
    home.mkdir()
    real = "/proc/sys/kernel/random/boot_id"
    if os.geteuid() != 0 or os.system(f"unshare -m mount --bind {boot_id} {real} 2>/dev/null"):
        pytest.skip("a boot id of one's own needs root")
    login = (
        f"export PATH=/usr/bin:/bin HOME={home}\n"
        f"exec unshare -m sh -c 'mount --bind {boot_id} {real} && exec sh -c \"$0\"' "
        '"$SSH_ORIGINAL_COMMAND"'
    )
    with Sshd(tmp_path / "sshd", login=login) as server:
        monkeypatch.setenv("PATH", str(server.programs), prepend=":")
        keep_runtime()
        yield WholeRun(tmp_path, tiny_run, [BOARD | LONG]), server


@pytest.mark.slow
def test_a_board_that_restarts(
    restarting: tuple[WholeRun, Sshd], boot_id: Path, tmp_path: Path
) -> None:
    whole, server = restarting
    there = tmp_path / "home/.cache/slimline"

    def restart() -> None:
        boot_id.write_text("22222222-2222-2222-2222-222222222222\n")
        server.drop()

    with Happening(there, restart):
        assert whole.run().outcome == "failed"
    assert "board" in check_lost(whole, "board", None)
    assert nothing_left(there)
    check_again(whole, "board", None)


@pytest.mark.slow
def test_a_board_that_restarts_between_two_processes(
    restarting: tuple[WholeRun, Sshd], boot_id: Path, tmp_path: Path
) -> None:
    """The connection holds, as over a relay: the boot id alone tells."""
    whole, _ = restarting
    whole.write([BOARD | LONG | {"processes": 3}])
    there = tmp_path / "home/.cache/slimline"
    with Happening(there, lambda: boot_id.write_text("22222222-2222-2222-2222-222222222222\n")):
        assert whole.run().outcome == "failed"
    assert "board was restarted in between" in check_lost(whole, "board", None)
    assert nothing_left(there)
    check_again(whole, "board", None)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["full", "noexec"])
def test_a_disk_of_the_board_that_is_full_or_runs_nothing_any_more(
    whole: WholeRun, phone: Phone, tmp_path: Path, fault: str
) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        there = disk / "slimline"
        whole.write([BOARD | LONG | {"dir": str(there)}, phone_section(phone) | LONG])

        def fill() -> None:
            with (disk / "others").open("wb") as file:
                try:
                    while True:
                        file.write(bytes(4096))
                        file.flush()
                except OSError:
                    return

        def forbid() -> None:
            assert os.system(f"mount -o remount,noexec {disk}") == 0

        with Happening(there, fill if fault == "full" else forbid):
            assert whole.run().outcome == "failed"
        failed = whole.failed()
        assert failed
        assert failed.keys() <= steps_on("board")
        told = next(iter(failed.values()))
        assert told.user_fault
        assert "set `dir` of board" in told.fix
        assert ("noexec" if fault == "noexec" else "free") in f"{told.what} {told.fix}"
        assert steps_on("phone") <= whole.executed()
        assert nothing_left(there)
        if fault == "full":
            (disk / "others").unlink()
        else:
            assert os.system(f"mount -o remount,exec {disk}") == 0
        check_again(whole, "board", "phone")
        assert nothing_left(there)
