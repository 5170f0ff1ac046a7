"""What every ``Shell`` promises, whatever it runs over and whichever shell answers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from components.devices.adb import AdbShell
from components.devices.device import LostError
from components.devices.pushing import push
from components.devices.shell import Answer, Shell
from components.devices.ssh import SshShell
from tests.components.devices.host_shell import HostShell, programs
from tests.servers.phone.phone import Adb, Phone
from tests.servers.processes import carrying, send
from tests.servers.sshd import HOST, Sshd

# The way that programs which time a model are started: they are to end with whoever asked.
WATCHED = """\
mkdir "$1" && mkfifo "$1/pipe" || exit
exec 3<&0
sh -c 'echo $$ >"$0/pid"; read -r line <"$0/pipe"' "$1" </dev/null &
p=$!
{ cat <&3; kill -9 $p; } >/dev/null 2>&1 &
w=$!
wait $p
code=$?
kill -9 $w
rm -rf "$1"
exit $code
"""
UNWATCHED = WATCHED.replace("{ cat <&3; kill -9 $p; }", ":")


@dataclass
class Way:
    """A way to a device of the tests' own.

    Attributes:
        shell: Reaches it.
        client: What is in the command line of its client, and in none else.
        break_off: Ends its connections, as a pulled cable does.
        mend: Makes new ones possible.
    """

    shell: Shell
    client: str = "no client"
    break_off: Callable[[], None] = lambda: None
    mend: Callable[[], None] = lambda: None


WAYS = ("sh", "mksh", "busybox", "ssh", "ssh-busybox", "adb")
over_a_connection = pytest.mark.parametrize("way", WAYS[3:], indirect=True)


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Every way, one after the other."""
    name = str(request.param)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        found = opened(name, tmp_path_factory.mktemp(name), stack, patch)
        yield found
        found.shell.close()


def opened(name: str, folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> Way:
    """Open one way; the stack closes what is behind it."""
    kind, _, inside = name.partition("-")
    if kind == "ssh":
        environment = dict(programs(folder / "programs", inside or "sh"))
        server = stack.enter_context(Sshd(folder / "sshd", environment=environment))
        patch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
        return Way(SshShell(name, HOST), str(server.programs.parent), server.drop)
    if kind == "adb":
        adb = stack.enter_context(Adb(folder))
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
        phone = stack.enter_context(Phone(folder / "phone", adb))

        def mend() -> None:
            phone.plug()
            adb.ask("disconnect", phone.serial)
            adb.ask("connect", phone.serial)
            adb.await_state(phone.serial, "device")

        return Way(AdbShell(name, phone.serial), phone.serial, phone.unplug, mend)
    return Way(HostShell(folder, name))


def test_it_hands_over_arguments_and_returns_what_a_script_says(way):
    odd = ["a'b\n c", 'ä\\n$x "`!*', "", "-n"]
    script = 'for each; do printf "<%s>" "$each"; done; echo no >&2; exit 3'
    answer = way.shell.run(script, *odd)
    assert answer.out.decode() == "".join(f"<{each}>" for each in odd)
    assert answer.err == b"no\n"
    assert answer.code == 3


def test_a_signal_that_ends_a_program_is_128_and_its_number(way):
    """Had ssh or adb run it without a shell around, they would say 255 or nothing."""
    killing = "sh -c 'kill -9 $$'"
    assert way.shell.run(killing).code == 128 + signal.SIGKILL
    assert way.shell.run(f"exec {killing}").code == 128 + signal.SIGKILL
    waiting = 'sleep 60 & program=$!; kill -9 "$program"; wait "$program"'
    assert way.shell.run(waiting).code == 128 + signal.SIGKILL


def test_a_script_that_is_no_script_fails_and_does_not_count_as_lost(way):
    answer = way.shell.run("if true; then")
    assert answer.code != 0
    assert b"syntax" in answer.err.lower()


def test_what_a_script_prints_is_not_taken_for_a_marker(way):
    answer = way.shell.run("set -x; echo E0 0; echo B0; printf 'no end'")
    assert answer.out == b"E0 0\nB0\nno end"
    assert answer.code == 0


def test_every_byte_passes_both_ways(way):
    data = bytes(range(256)) * 8000
    assert way.shell.run("cat", data=data).out == data


def test_much_output_on_both_streams_passes(way):
    script = "cat; i=0; while [ $i -lt 2000 ]; do echo $i >&2; echo $i; i=$((i + 1)); done"
    data = b"x" * 3_000_000
    answer = way.shell.run(script, data=data)
    counted = "".join(f"{each}\n" for each in range(2000)).encode()
    assert answer.out == data + counted
    assert answer.err == counted


def test_without_data_standard_input_is_empty(way):
    assert way.shell.run("cat; echo end").out == b"end\n"


def test_faults_are_told_in_english(way):
    assert b"such file" in way.shell.run("cat /nowhere").err
    assert way.shell.run('echo "$LC_ALL"').out == b"C\n"


def test_a_process_that_is_left_behind_does_not_hold_up_the_answer(way, tmp_path):
    start = time.monotonic()
    script = 'sh -c \'while [ ! -e "$0" ]; do sleep 0.1; done\' "$1" & echo done'
    assert way.shell.run(script, f"{tmp_path}/over").out == b"done\n"
    (tmp_path / "over").touch()
    assert time.monotonic() - start < 10
    gone(str(tmp_path))


def test_no_answer_in_time_is_a_loss(way, tmp_path):
    start = time.monotonic()
    with pytest.raises(LostError, match=r"went away: no answer in 1.5 s"):
        run_watched(way, tmp_path, limit_s=1.5)
    assert time.monotonic() - start < 10
    gone(str(tmp_path / "run"))
    gone_folder(tmp_path / "run")


def test_standard_input_stays_open_until_a_held_script_has_ended(way, tmp_path):
    ender = threading.Timer(0.7, end_program, (tmp_path / "run",))
    ender.start()
    answer = run_watched(way, tmp_path)
    ender.join()
    assert answer.code == 128 + signal.SIGTERM
    gone(str(tmp_path / "run"))
    gone_folder(tmp_path / "run")


@over_a_connection
def test_a_pulled_cable_is_a_loss_and_nothing_is_left_there(way, tmp_path):
    puller = threading.Thread(target=when_it_runs, args=(tmp_path / "run", way.break_off))
    puller.start()
    try:
        with pytest.raises(LostError, match="went away"):
            run_watched(way, tmp_path)
        puller.join()
        gone(str(tmp_path / "run"))
        gone_folder(tmp_path / "run")
    finally:
        way.mend()
    assert way.shell.run("echo again").out == b"again\n"


@over_a_connection
def test_a_client_that_is_killed_is_a_loss_and_nothing_is_left_there(way, tmp_path):
    def kill() -> None:
        send(carrying(way.client, "sh -c 'read"), signal.SIGKILL)

    killer = threading.Thread(target=when_it_runs, args=(tmp_path / "run", kill))
    killer.start()
    with pytest.raises(LostError, match="went away"):
        run_watched(way, tmp_path)
    killer.join()
    gone(str(tmp_path / "run"))
    gone_folder(tmp_path / "run")
    assert way.shell.run("echo again").out == b"again\n"


def test_with_the_process_that_holds_it_a_script_ends(way, tmp_path):
    """The engine's own end leaves its clients behind, with nobody at their standard input."""
    holder = os.fork()
    if holder == 0:
        try:
            run_watched(way, tmp_path)
        finally:
            os._exit(0)
    when_it_runs(tmp_path / "run", lambda: os.kill(holder, signal.SIGKILL))
    os.waitpid(holder, 0)
    gone(str(tmp_path / "run"))
    gone_folder(tmp_path / "run")


def test_without_a_watch_a_program_goes_on(way, tmp_path):
    """What the tests above rest upon: that they would see it."""
    holder = os.fork()
    if holder == 0:
        try:
            run_watched(way, tmp_path, UNWATCHED)
        finally:
            os._exit(0)
    when_it_runs(tmp_path / "run", lambda: os.kill(holder, signal.SIGKILL))
    os.waitpid(holder, 0)
    time.sleep(0.5)
    assert carrying(f"{tmp_path}/run")
    end_program(tmp_path / "run")
    gone(str(tmp_path / "run"))


def test_a_file_arrives_whole_and_replaces_what_was_there(way, tmp_path):
    local, remote = tmp_path / "file", tmp_path / "new folder" / "over there's"
    local.write_bytes(os.urandom(1_500_000))
    way.shell.push(local, str(remote))
    assert remote.read_bytes() == local.read_bytes()
    local.write_bytes(b"")
    way.shell.push(local, str(remote))
    assert remote.read_bytes() == b""
    assert list(remote.parent.iterdir()) == [remote]


def test_a_file_that_breaks_off_is_not_there_and_its_part_neither(way, tmp_path):
    local, remote = tmp_path / "file", tmp_path / "there" / "file"
    local.write_bytes(b"x" * 10)
    short = HalfShell(way.shell)
    with pytest.raises(LostError, match="went away while file was on its way"):
        push(short, local, str(remote), "device")
    assert list(remote.parent.iterdir()) == []


def test_where_nothing_may_be_written_the_user_is_told_what_to_set(way, tmp_path):
    local = tmp_path / "file"
    local.write_bytes(b"x")
    with pytest.raises(UserError, match="does not let us write into /proc/there") as caught:
        way.shell.push(local, "/proc/there/file")
    assert "set `dir` of" in caught.value.fix
    way.shell.push(local, f"{tmp_path}/there/file")  # the fix


class HalfShell:
    """A shell whose connection takes half of the data; the other half never comes."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def run(self, script: str, *args: str, data: bytes | None = None, **more: Any) -> Answer:
        return self._shell.run(script, *args, data=(data or b"")[: len(data or b"") // 2], **more)

    def push(self, local: Path, remote: str) -> None:
        push(self, local, remote, "half")

    def close(self) -> None:
        self._shell.close()


def run_watched(way: Way, folder: Path, script: str = WATCHED, limit_s: float = 60.0) -> Answer:
    """Run a program that would never end, in a folder of its own."""
    return way.shell.run(script, f"{folder}/run", hold=True, limit_s=limit_s)


def when_it_runs(folder: Path, then: Callable[[], None]) -> None:
    """Do something as soon as the program has begun."""
    await_(lambda: pid_in(folder) is not None)
    then()


def end_program(folder: Path) -> None:
    """End the program of a folder, once it has begun, as if of its own accord."""
    await_(lambda: pid_in(folder) is not None)
    pid = pid_in(folder)
    assert pid is not None
    os.kill(pid, signal.SIGTERM)


def pid_in(folder: Path) -> int | None:
    try:
        return int((folder / "pid").read_text())
    except (OSError, ValueError):
        return None


def gone(argument: str) -> None:
    """Return when no process has an argument any more."""
    await_(lambda: not carrying(argument))


def gone_folder(folder: Path) -> None:
    await_(lambda: not folder.exists())


def await_(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("this did not happen in 20 s")
