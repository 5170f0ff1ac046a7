"""What every ``Shell`` promises, whatever it runs over and whichever shell answers.

``SLIMLINE_TEST_DEVICE=adb:SERIAL`` or ``ssh:HOST`` also asks a real device, below a folder that is
removed in the end.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.adb import AdbShell
from components.devices.remote.pushing import push
from components.devices.remote.shell import Shell, ShellAnswer
from components.devices.remote.ssh import SshShell
from tests.components.devices.remote.host_shell import HostShell, programs
from tests.servers.phone.phone import Adb, Phone
from tests.servers.processes import carrying, send, with_home
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
    """A way to a device.

    Attributes:
        shell: Reaches it.
        look: A second one, to see from aside what happens there.
        folder: Below it, tests write.
        client: What is in the command line of its client, and in none else.
        break_off: Ends its connections, as a pulled cable does.
        mend: Makes new ones possible.
        short_s: Enough for a script to begin, and not long to wait for.
    """

    shell: Shell
    look: Shell
    folder: str
    client: str = "no client"
    break_off: Callable[[], None] = lambda: None
    mend: Callable[[], None] = lambda: None
    short_s: float = 1.5

    def says(self, script: str, *args: str) -> str | None:
        """Return what a script prints there, or None if it fails."""
        answer = self.look.run(script, *args)
        return answer.out.decode().strip() if answer.code == 0 else None


# Behind ssh there is busybox, behind adb mksh with toybox.
WAYS = ("sh", "mksh", "busybox", "ssh", "adb")
REAL = tuple(filter(None, [os.environ.get("SLIMLINE_TEST_DEVICE")]))
on_a_cable_of_our_own = pytest.mark.parametrize("way", WAYS[3:], indirect=True)
over_a_connection = pytest.mark.parametrize("way", [*WAYS[3:], *REAL], indirect=True)


@pytest.fixture(scope="module", params=(*WAYS, *REAL))
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Every way, one after the other; in the end, no process of it is left."""
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name.replace(":", "-"))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        found = real(name) if ":" in name else opened(name, folder, stack, patch)
        yield found
        if ":" in name:
            found.shell.run('rm -rf "$1"', found.folder)
        found.shell.close()
        await_(lambda: not with_home(str(folder)))


@pytest.fixture
def folder(way: Way) -> str:
    """A folder of the test, there."""
    path = f"{way.folder}/{secrets.token_hex(6)}"
    assert way.says('mkdir -p "$1"', path) is not None
    return path


def opened(name: str, folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> Way:
    """Open a way to a device of the tests' own; the stack closes what is behind it."""
    look, there = HostShell(folder / "aside"), str(folder / "there")
    if name == "ssh":
        environment = {**programs(folder / "programs", "busybox"), "HOME": str(folder)}
        server = stack.enter_context(Sshd(folder / "sshd", environment=environment))
        patch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
        client = str(server.programs.parent)
        return Way(SshShell(name, HOST), look, there, client, server.drop)
    if name == "adb":
        adb = stack.enter_context(Adb(folder.with_name(f"{folder.name}-adb")))
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
        phone = stack.enter_context(Phone(folder / "phone", adb))

        def mend() -> None:
            phone.plug()
            adb.ask("disconnect", phone.serial)
            adb.ask("connect", phone.serial)
            adb.await_state(phone.serial, "device")

        shell = AdbShell(name, phone.serial)
        return Way(shell, look, there, phone.serial, phone.unplug, mend)
    return Way(HostShell(folder, name), look, there)


def real(name: str) -> Way:
    """Open the way to a real device."""
    kind, _, address = name.partition(":")
    folder = f"slimline-test-{secrets.token_hex(6)}"
    if kind == "adb":
        shell, look = AdbShell(name, address), AdbShell(name, address)
        return Way(shell, look, f"/data/local/tmp/{folder}", address, short_s=5)
    shell, look = SshShell(name, address), SshShell(name, address)
    return Way(shell, look, f"/tmp/{folder}", address, short_s=5)


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


def test_a_process_that_is_left_behind_does_not_hold_up_the_answer(way, folder):
    start = time.monotonic()
    script = 'sh -c \'while [ ! -e "$0" ]; do sleep 0.1; done\' "$1" & echo $!'
    answer = way.shell.run(script, f"{folder}/over")
    took_s = time.monotonic() - start
    pid = answer.out.decode().strip()
    assert is_there(way, pid)
    way.says('echo >"$1"', f"{folder}/over")
    assert took_s < 10
    await_(lambda: not is_there(way, pid))


def test_no_answer_in_time_is_a_loss_and_nothing_is_left_there(way, folder):
    start = time.monotonic()
    with pytest.raises(LostError, match=f"went away: no answer in {way.short_s:g} s"):
        run_watched(way, folder, limit_s=way.short_s)
    assert time.monotonic() - start < way.short_s + 10
    gone(way, folder)


def test_standard_input_stays_open_until_a_held_script_has_ended(way, folder):
    def end() -> None:
        time.sleep(0.5)
        end_program(way, folder)

    with beside(way, folder, end):
        answer = run_watched(way, folder)
    assert answer.code == 128 + signal.SIGTERM
    gone(way, folder)


@on_a_cable_of_our_own
def test_a_pulled_cable_is_a_loss_and_nothing_is_left_there(way, folder):
    try:
        with (
            beside(way, folder, way.break_off),
            pytest.raises(LostError, match="went away"),
        ):
            run_watched(way, folder)
        gone(way, folder)
    finally:
        way.mend()
    assert way.shell.run("echo again").out == b"again\n"


@over_a_connection
def test_a_client_that_is_killed_is_a_loss_and_nothing_is_left_there(way, folder):
    def kill() -> None:
        send(carrying(way.client, "sh -c 'read"), signal.SIGKILL)

    with beside(way, folder, kill), pytest.raises(LostError, match="went away"):
        run_watched(way, folder)
    gone(way, folder)
    assert way.shell.run("echo again").out == b"again\n"


def test_with_the_process_that_holds_it_a_script_ends(way, folder):
    """The engine's own end leaves its clients behind, with nobody at their standard input."""
    hold_and_die(way, folder, WATCHED)
    gone(way, folder)


def test_without_a_watch_a_program_runs_on(way, folder):
    """What the tests above rest upon: that they would see it."""
    hold_and_die(way, folder, UNWATCHED)
    time.sleep(0.5)
    assert is_there(way, pid_in(way, folder))
    end_program(way, folder)
    gone(way, folder)


def test_a_file_arrives_whole_and_replaces_what_was_there(way, folder, tmp_path):
    local, remote = tmp_path / "file", f"{folder}/new folder/over there's"
    for content in (os.urandom(1_500_000), b""):
        local.write_bytes(content)
        way.shell.push(local, remote)
        assert way.look.run('cat "$1"', remote).out == content
    assert way.says('ls "$1"', f"{folder}/new folder") == "over there's"


def test_a_file_that_breaks_off_is_not_there_and_its_part_neither(way, folder, tmp_path):
    local = tmp_path / "file"
    local.write_bytes(b"x" * 10)
    with pytest.raises(LostError, match="went away while file was on its way"):
        push(HalfShell(way.shell), local, f"{folder}/there/file", "device")
    assert way.says('ls -A "$1"', f"{folder}/there") == ""


def test_where_nothing_may_be_written_the_user_is_told_what_to_set(way, folder, tmp_path):
    local = tmp_path / "file"
    local.write_bytes(b"x")
    with pytest.raises(UserError, match="does not let us write into /proc/there") as caught:
        way.shell.push(local, "/proc/there/file")
    assert "set `dir` of" in caught.value.fix
    way.shell.push(local, f"{folder}/there/file")  # the fix


class HalfShell:
    """A shell whose connection takes half of the data; the other half never comes."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def run(self, script: str, *args: str, data: bytes | None = None, **more: Any) -> ShellAnswer:
        return self._shell.run(script, *args, data=(data or b"")[: len(data or b"") // 2], **more)

    def push(self, local: Path, remote: str) -> None:
        push(self, local, remote, "half")

    def close(self) -> None:
        self._shell.close()


def run_watched(way: Way, folder: str, script: str = WATCHED, limit_s: float = 60.0) -> ShellAnswer:
    """Run a program that would never end, in a folder of its own."""
    return way.shell.run(script, f"{folder}/run", hold=True, limit_s=limit_s)


@contextmanager
def beside(way: Way, folder: str, then: Callable[[], None]) -> Iterator[None]:
    """Do something as soon as the program has begun that the body starts."""

    def wait() -> None:
        await_(lambda: pid_in(way, folder) is not None)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


def hold_and_die(way: Way, folder: str, script: str) -> None:
    """Start the program from a process, and kill that when it has begun."""
    holder = os.fork()
    if holder == 0:
        try:
            run_watched(way, folder, script)
        finally:
            os._exit(0)
    await_(lambda: pid_in(way, folder) is not None)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)


def end_program(way: Way, folder: str) -> None:
    """End the program, as if of its own accord."""
    pid = pid_in(way, folder)
    assert pid is not None
    assert way.says('kill -15 "$1"', pid) is not None


def pid_in(way: Way, folder: str) -> str | None:
    """Return the process id that the program has written, once it has."""
    return way.says('cat "$1/run/pid"', folder) or None


def is_there(way: Way, pid: str | None) -> bool:
    return way.says('kill -0 "$1"', pid or "0") is not None


def gone(way: Way, folder: str) -> None:
    """Return when the program is gone, and its folder with it."""
    await_(lambda: way.says('ls -A "$1"', folder) == "")
    await_(lambda: not carrying(f"{folder}/run"))


def await_(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("this did not happen in 20 s")
