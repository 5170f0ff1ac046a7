"""Ssh: faults on the way to a machine, each provoked with a real sshd, and each fix applied."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.ssh import SshShell
from components.devices.remote.ssh_connection import SshConnection
from tests.servers.sshd import HOST, Sshd


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        monkeypatch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
        yield server


@pytest.fixture
def shell(sshd: Sshd) -> Iterator[SshShell]:
    found = SshShell("board", HOST)
    yield found
    found.close()


def fault_of(shell: SshShell) -> UserError:
    with pytest.raises(UserError) as caught:
        shell.run("echo never")
    return caught.value


def test_a_host_key_that_nobody_has_seen(sshd, shell):
    sshd.known_hosts.unlink()
    fault = fault_of(shell)
    assert fault.what == f"the host key of {HOST} is not known"
    assert fault.fix == f"run `ssh {HOST}` once by hand and compare it"
    by_hand(sshd)
    assert shell.run("echo yes").out == b"yes\n"


def test_another_host_key_than_before(sshd, shell):
    sshd.stop()
    sshd.show("stranger")
    sshd.start()
    fault = fault_of(shell)
    assert fault.what == f"{HOST} shows another host key than known_hosts has"
    removal = fault.fix.split("`")[1]
    assert removal.startswith("ssh-keygen -f")
    subprocess.run(removal, shell=True, check=True, capture_output=True)
    by_hand(sshd)
    assert shell.run("echo yes").out == b"yes\n"


def test_a_login_that_is_refused(sshd, shell):
    sshd.trust("stranger")
    fault = fault_of(shell)
    assert fault.what.startswith(f"{HOST} refuses the login: ")
    assert "Permission denied (publickey)" in fault.what
    assert f"`ssh -o BatchMode=yes {HOST} true`" in fault.fix
    sshd.trust("user")  # what ssh-copy-id does
    assert shell.run("echo yes").out == b"yes\n"


def test_a_machine_that_is_off(sshd, shell):
    sshd.stop()
    fault = fault_of(shell)
    assert fault.what.startswith("board does not answer: ")
    assert "Connection refused" in fault.what
    assert "switch it on" in fault.fix
    sshd.start()
    assert shell.run("echo yes").out == b"yes\n"


def test_a_name_that_nothing_has(sshd):
    shell = SshShell("board", "no-such-board.invalid")
    fault = fault_of(shell)
    shell.close()
    assert fault.what.startswith("board: nothing is called no-such-board.invalid here")
    assert "set `host` of board" in fault.fix


def test_a_host_is_never_taken_for_an_option(sshd, tmp_path):
    shell = SshShell("board", f"-oProxyCommand=touch {tmp_path}/broken-in")
    fault_of(shell)
    shell.close()
    assert not (tmp_path / "broken-in").exists()


def test_settings_that_ssh_does_not_read(sshd, shell, tmp_path):
    config = tmp_path / "sshd" / "ssh_config"
    good = config.read_text()
    config.write_text(f"Nonsense yes\n{good}")
    fault = fault_of(shell)
    assert fault.what.startswith("ssh does not read its settings: ")
    config.write_text(good)
    assert shell.run("echo yes").out == b"yes\n"


def test_a_login_that_runs_nothing(tmp_path, monkeypatch):
    nologin = 'echo "This account is currently not available."; exit 1'
    with Sshd(tmp_path / "sshd", login=nologin) as server:
        monkeypatch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")
        shell = SshShell("board", HOST)
        fault = fault_of(shell)
        shell.close()
    assert fault.what.startswith(f"board ran no shell: the login on {HOST} ended with 1")
    assert f"""`ssh {HOST} 'sh -c "echo yes"'`""" in fault.fix


def test_a_computer_without_ssh(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    shell = SshShell("board", HOST)
    fault = fault_of(shell)
    shell.close()
    assert fault.fix == "install it: apt-get install openssh-client"


def test_a_machine_that_freezes_is_noticed(sshd):
    """With the usual 5 s between signs of life it takes five times as long."""
    shell = SshShell("board", HOST, alive_s=1)
    assert shell.run("echo yes").out == b"yes\n"
    freezer = threading.Timer(0.5, sshd.freeze)
    freezer.start()
    start = time.monotonic()
    try:
        with pytest.raises(LostError, match="went away: its connection broke off"):
            shell.run("read -r line", hold=True, limit_s=600)
        with pytest.raises(UserError, match=r"board does not answer: .*timed out"):
            shell.run("echo never", limit_s=600)
        assert time.monotonic() - start < 20
    finally:
        freezer.join()
        sshd.thaw()
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_all_scripts_share_a_connection_that_ends_with_the_shell(sshd, shell, tmp_path):
    for _ in range(3):
        shell.run("true")
    log = (tmp_path / "sshd" / "sshd.log").read_text()
    assert log.count("Accepted publickey") == 1
    before = len(sshd.connections())
    shell.close()
    assert before > 0
    for _ in range(200):
        if not sshd.connections():
            return
        time.sleep(0.02)
    raise AssertionError("the connection outlived its shell")


def test_a_long_path_for_temporary_files_is_not_too_long_for_a_socket(sshd, monkeypatch, tmp_path):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    shell = SshShell("board", HOST)
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_what_a_connection_has_opened_is_gone_when_it_is_closed(sshd, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        connection = SshConnection(HOST)
        subprocess.run(connection.command("true"), check=True, stderr=subprocess.DEVNULL)
        assert len(list(Path(folder).glob("slimline-*/s"))) == 1
        connection.close()
        assert list(Path(folder).iterdir()) == []


def by_hand(sshd: Sshd) -> None:
    """Do what a person does who runs ``ssh pi5`` and answers "yes"."""
    subprocess.run(
        [sshd.programs / "ssh", "-o", "StrictHostKeyChecking=accept-new",
         "-o", "RemoteCommand=none", "-o", "RequestTTY=no", HOST, "true"],
        check=True,
        capture_output=True,
    )  # fmt: skip
