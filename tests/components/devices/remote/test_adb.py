"""Adb: faults on the way to a phone, each provoked with a real adb, and each fix applied."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.adb import AdbShell, ports
from tests.servers.phone.phone import Adb, Phone
from tests.servers.phone.usb_faults import UsbFaults
from tests.servers.sshd import HOST, Sshd

NUMBER = "R5CT10ABCDE"
LISTED = (
    f"{NUMBER}            device usb:1-1.2 product:o1sxxx model:SM_G991B device:o1s transport_id:3\n"
    f"{NUMBER}            device usb:1-1.3 product:o1sxxx model:SM_G991B device:o1s transport_id:4\n"
    "emulator-5554          device product:sdk_phone64_x86_64 model:sdk transport_id:1\n"
)


@pytest.fixture(scope="module")
def adb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adb]:
    with Adb(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def phone(adb: Adb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
    with Phone(tmp_path / "phone", adb) as found:
        yield found


@pytest.fixture
def shell(phone: Phone) -> AdbShell:
    return AdbShell("s21", phone.serial)


def fault_of(shell: AdbShell) -> UserError:
    with pytest.raises(UserError) as caught:
        shell.run("echo never")
    return caught.value


def test_a_phone_that_asks_who_is_there(adb, phone, shell):
    phone.doubt()
    adb.ask("disconnect", phone.serial)
    adb.ask("connect", phone.serial)
    adb.await_state(phone.serial, "unauthorized")
    fault = fault_of(shell)
    assert fault.what.startswith("s21 is authorizing: ")
    assert "unlock it and allow USB debugging" in fault.fix
    phone.trust()
    adb.await_state(phone.serial, "device")
    assert shell.run("echo yes").out == b"yes\n"


def test_a_phone_that_adb_is_not_connected_to(adb, phone, shell):
    adb.ask("disconnect", phone.serial)
    fault = fault_of(shell)
    assert fault.what == f"s21 is not there: adb is not connected to {phone.serial}"
    command = fault.fix.split("`")[1]
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    adb.await_state(phone.serial, "device")
    assert shell.run("echo yes").out == b"yes\n"


def test_a_phone_that_is_not_plugged_in(phone):
    fault = fault_of(AdbShell("s21", NUMBER))
    assert fault.what == f"s21 is not there: adb sees {phone.serial}, and not {NUMBER}"
    assert "`serial` of s21" in fault.fix
    assert AdbShell("s21", phone.serial).run("echo yes").out == b"yes\n"  # the fix


def test_a_phone_whose_cable_is_pulled_and_one_that_freezes(adb, phone, shell):
    phone.freeze()
    start = time.monotonic()
    with pytest.raises(LostError, match=r"s21 went away: no answer in 1 s"):
        shell.run("echo never", limit_s=1)
    assert time.monotonic() - start < 10
    phone.thaw()
    assert shell.run("echo yes").out == b"yes\n"
    phone.unplug()
    for _ in range(200):
        if adb.state_of(phone.serial) != "device":
            break
        time.sleep(0.02)
    with pytest.raises(LostError, match=r"s21 went away: device .*offline"):
        shell.run("echo never")


def test_a_phone_that_freezes_is_noticed_while_a_script_runs(phone):
    """With the usual 5 s between signs of life it takes five times as long."""
    shell = AdbShell("s21", phone.serial, alive_s=1)
    freezer = threading.Timer(0.5, phone.freeze)
    freezer.start()
    start = time.monotonic()
    try:
        with pytest.raises(LostError, match=r"s21 went away: no sign of life for \d+ s"):
            shell.run("read -r line", hold=True, limit_s=600)
        assert time.monotonic() - start < 30
    finally:
        freezer.join()
        phone.thaw()
    assert shell.run("echo yes").out == b"yes\n"


BUSY = """\
for each in 1 2 3 4 5 6 7 8; do
    while [ ! -e "$1" ]; do :; done >/dev/null 2>&1 &
done
sleep 3
: >"$1"
wait
echo done
"""


def test_a_phone_that_is_busy_or_slow_to_answer_is_not_taken_for_frozen(phone, tmp_path):
    """Asked once a second, it says yes; and a pause of two seconds is none of three."""
    shell = AdbShell("s21", phone.serial, alive_s=1)
    assert shell.run(BUSY, str(tmp_path / "over")).out == b"done\n"
    threads = [threading.Timer(0.3, phone.freeze), threading.Timer(2.3, phone.thaw)]
    for thread in threads:
        thread.start()
    assert shell.run("sleep 3; echo late").out == b"late\n"
    for thread in threads:
        thread.join()


def test_a_phone_that_is_gone_is_not_called_frozen(phone):
    shell = AdbShell("s21", phone.serial, alive_s=1)
    unplug = threading.Timer(0.5, phone.unplug)
    unplug.start()
    with pytest.raises(LostError) as caught:
        shell.run("read -r line", hold=True, limit_s=600)
    unplug.join()
    assert "sign of life" not in str(caught.value)


def test_without_markers_a_phone_that_went_away_would_look_like_success(phone):
    """What the marker of the end is for: adb itself ends with 0, or with 1 as a script may."""
    command = ["adb", "-s", phone.serial, "shell", "-T", "echo begun; read -r line; exit 7"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"begun\n"
        phone.unplug()
        assert client.wait(20) in (0, 1)


def test_a_phone_that_is_too_old(adb, tmp_path, monkeypatch):
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
    with Phone(tmp_path / "phone", adb, features="cmd") as old:
        fault = fault_of(AdbShell("s4", old.serial))
    assert fault.what == "s4 has an Android older than 7: its shell tells no exit codes"


def test_two_phones_of_one_serial_number(monkeypatch):
    with UsbFaults("more than one device", LISTED) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        fault = fault_of(AdbShell("s21", NUMBER))
        assert fault.what == f"two phones are called {NUMBER}"
        assert "`serial: usb:1-1.2` or `serial: usb:1-1.3`" in fault.fix
        server.asked.clear()
        fault_of(AdbShell("s21", "usb:1-1.2"))
        assert any("usb:1-1.2" in question for question in server.asked)  # the fix


FORBIDDEN = (
    "insufficient permissions for device: missing udev rules? user is in the plugdev group\n"
    "See [http://developer.android.com/tools/device.html] for more information"
)
ASKING = (
    "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    "Otherwise check for a confirmation dialog on your device."
)


def test_a_port_without_permissions(monkeypatch, adb, phone):
    with UsbFaults(FORBIDDEN) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        fault = fault_of(AdbShell("s21", phone.serial))
    assert fault.what.startswith("s21 cannot be reached: no permissions for its USB port: ")
    assert "`apt-get install android-sdk-platform-tools-common`" in fault.fix
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))  # whose rules are installed
    assert AdbShell("s21", phone.serial).run("echo yes").out == b"yes\n"


@pytest.mark.parametrize("sentence", [ASKING, "device still authorizing"])
def test_a_phone_on_a_cable_that_asks_who_is_there(monkeypatch, sentence):
    with UsbFaults(sentence) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        assert fault_of(AdbShell("s21", NUMBER)).what.startswith("s21 is authorizing: ")


def test_an_adb_that_gets_no_server(monkeypatch):
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:no-such-host.invalid:5037")
    fault = fault_of(AdbShell("s21", NUMBER))
    assert "adb does not get its server to run: cannot connect to daemon" in fault.what
    assert fault.fix == "make `adb start-server` work"


def test_a_computer_without_adb(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fault_of(AdbShell("s21", NUMBER)).fix == "install it: apt-get install adb"


class TestVia:
    """A phone that hangs on another machine: adb runs there."""

    @pytest.fixture
    def lab(self, adb: Adb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
        """That machine; adb is on it, and not on this one."""
        adb_here = tmp_path / "adb-here"
        adb_here.mkdir()
        environment = {"PATH": os.defpath, "ANDROID_ADB_SERVER_PORT": str(adb.port)}
        with Sshd(tmp_path / "lab", environment=environment) as server:
            (adb_here / "adb").write_text("#!/bin/sh\necho 'this is not the lab' >&2\nexit 1\n")
            (adb_here / "adb").chmod(0o755)
            monkeypatch.setenv(
                "PATH", os.pathsep.join([str(server.programs), str(adb_here), os.environ["PATH"]])
            )
            yield server

    def test_scripts_and_files_get_there(self, lab, phone, tmp_path):
        shell = AdbShell("s21", phone.serial, via=HOST)
        odd = 'a\'b\n$c "d"'
        answer = shell.run('printf "%s" "$1"; cat; exit 4', odd, data=b"\0\xff")
        assert (answer.code, answer.out) == (4, odd.encode() + b"\0\xff")
        local = tmp_path / "file"
        local.write_bytes(os.urandom(300_000))
        shell.push(local, f"{tmp_path}/there/file")
        assert (tmp_path / "there" / "file").read_bytes() == local.read_bytes()
        shell.close()

    def test_a_phone_that_freezes_there_is_noticed(self, lab, phone):
        shell = AdbShell("s21", phone.serial, via=HOST, alive_s=1)
        freezer = threading.Timer(1, phone.freeze)
        freezer.start()
        try:
            with pytest.raises(LostError, match="no sign of life"):
                shell.run("read -r line", hold=True, limit_s=600)
        finally:
            freezer.join()
            phone.thaw()
            shell.close()

    def test_a_phone_that_is_not_there(self, lab, phone):
        shell = AdbShell("s21", NUMBER, via=HOST)
        fault = fault_of(shell)
        shell.close()
        assert fault.what == (
            f"s21 is not there: adb on {HOST} sees {phone.serial}, and not {NUMBER}"
        )
        assert f"`ssh {HOST} adb devices -l`" in fault.fix

    def test_a_machine_without_adb(self, tmp_path, monkeypatch):
        nowhere = tmp_path / "bin"
        nowhere.mkdir()
        (nowhere / "sh").symlink_to("/bin/sh")
        with Sshd(tmp_path / "lab", environment={"PATH": str(nowhere)}) as server:
            monkeypatch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
            shell = AdbShell("s21", NUMBER, via=HOST)
            fault = fault_of(shell)
            shell.close()
        assert fault.what == f"s21 hangs on {HOST}, and there is no adb there"

    def test_a_machine_that_is_off(self, lab, phone):
        lab.stop()
        shell = AdbShell("s21", phone.serial, via=HOST)
        fault = fault_of(shell)
        assert fault.what.startswith("s21 does not answer: ")
        lab.start()
        assert shell.run("echo yes").out == b"yes\n"
        shell.close()


def test_ports_are_read_from_the_list():
    assert ports(f"List of devices attached\n{LISTED}\n", NUMBER) == ["usb:1-1.2", "usb:1-1.3"]
    assert ports(LISTED, "emulator-5554") == []
