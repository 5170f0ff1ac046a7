"""Jump: devices by way of the machine that holds them, with the files of a secret and nothing else.

Two real servers: one is that machine, the other a board that it alone is to reach.
"""

from __future__ import annotations

import getpass
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.adb import AdbShell
from components.devices.remote.adb_device import open_adb
from components.devices.remote.jump import HOST_VARIABLE, KEYS_VARIABLE, Jump, making
from components.devices.remote.settings import AdbSettings, SshSettings
from components.devices.remote.ssh import SshShell
from components.devices.remote.ssh_device import open_ssh
from tests.servers.secrets import LAB, make_secret
from tests.servers.sshd import HOST, Sshd


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "lab") as server:
        yield server


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "board") as server:
        yield server


@pytest.fixture
def keys(lab: Sshd, board: Sshd, tmp_path: Path) -> Path:
    return make_secret(tmp_path / "mounted" / "lab-ssh", lab, {HOST: board})


@pytest.fixture
def shell(keys: Path) -> Iterator[SshShell]:
    found = SshShell("board", HOST, jump=Jump(LAB, keys))
    yield found
    found.close()


def fault_of(shell: SshShell | AdbShell) -> UserError:
    with pytest.raises(UserError) as caught:
        shell.run("echo never")
    return caught.value


def test_a_board_is_reached_by_way_of_the_machine(lab, shell):
    assert shell.run("echo yes").out == b"yes\n"
    assert lab.connections(), "that machine is on the way"
    shell.close()


def test_without_that_machine_there_is_no_way(lab, keys):
    lab.stop()
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    fault = fault_of(shell)
    assert fault.what.startswith(f"pods do not reach {LAB}, the machine that holds the devices: ")
    lab.start()
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_a_key_that_others_may_read_is_copied_for_its_owner_alone(keys, shell):
    """Files of a secret are readable for all, unless its volume says otherwise."""
    for mode in (0o644, 0o444, 0o400):
        (keys / "ssh-privatekey").chmod(mode)
        found = SshShell("board", HOST, jump=Jump(LAB, keys))
        assert found.run("echo yes").out == b"yes\n", oct(mode)
        copies = [path for path in found._connection._folder.iterdir() if path.name == "key"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in copies] == [0o600]
        found.close()
        assert not copies[0].exists(), "the copy goes with the connection"


def test_a_key_without_its_last_line_end_is_read(keys):
    """What a form or a template puts into a secret often lacks it, and ssh refuses such a key."""
    key = keys / "ssh-privatekey"
    key.write_bytes(key.read_bytes().rstrip())
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_the_machine_itself_is_a_device_too(keys):
    shell = SshShell("lab", f"{getpass.getuser()}@{LAB}", jump=Jump(LAB, keys))
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


@pytest.mark.parametrize("name", ["ssh-privatekey", "known_hosts"])
def test_a_secret_that_lacks_a_key(keys, name):
    aside = keys.parent / name
    (keys / name).rename(aside)
    with pytest.raises(UserError) as caught:
        SshShell("board", HOST, jump=Jump(LAB, keys))
    assert caught.value.what.startswith(f"the secret lab-ssh has no key {name}, which ssh needs")
    assert caught.value.fix == making("lab-ssh")
    words = caught.value.fix.partition(" --dry-run")[0].split()
    for given, file in (("KEY", "ssh-privatekey"), ("FILE", "known_hosts")):
        source = aside if file == name else keys / file
        (argument,) = [word for word in words if word.endswith(f"={given}")]
        made = argument.removeprefix("--from-file=").partition("=")[0]
        if source != keys / made:
            shutil.copy2(source, keys / made)
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


@pytest.mark.parametrize("which", ["lab", "board"])
def test_a_host_that_known_hosts_does_not_name(keys, lab, board, which):
    known = keys / "known_hosts"
    server = {"lab": lab, "board": board}[which]
    whole = known.read_text()
    known.write_text(
        "".join(f"{line}\n" for line in whole.splitlines() if str(server.port) not in line)
    )
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    fault = fault_of(shell)
    assert (
        "is not known to the pod: known_hosts of the secret lab-ssh has no line for" in fault.what
    )
    assert "ssh-keyscan" in fault.fix
    scanned = subprocess.run(
        ["ssh-keyscan", "-p", str(server.port), "127.0.0.1"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    known.write_text(known.read_text() + scanned.stdout)
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_a_host_that_was_set_up_anew(keys, board):
    board.stop()
    board.show("stranger")
    board.start()
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    fault = fault_of(shell)
    assert "shows another host key than known_hosts of the secret lab-ssh has" in fault.what
    board.learn()
    known = keys / "known_hosts"
    kept = [line for line in known.read_text().splitlines() if str(board.port) not in line]
    known.write_text("\n".join([*kept, board.known_hosts.read_text()]))
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


@pytest.mark.parametrize("which", ["lab", "board"])
def test_a_key_that_nobody_lets_in(keys, lab, board, which):
    server = {"lab": lab, "board": board}[which]
    server.trust("stranger")
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    fault = fault_of(shell)
    assert "refuses the key of the secret lab-ssh" in fault.what
    assert "authorized_keys" in fault.fix
    printed = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(lab.programs.parent / "user")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    with (server.programs.parent / "authorized_keys").open("a") as allowed:
        allowed.write(printed.stdout)
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_no_key_at_all_in_the_file(keys):
    key = keys / "ssh-privatekey"
    right = key.read_bytes()
    key.write_text("ssh-ed25519 AAAA this is the public half\n")
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    fault = fault_of(shell)
    assert fault.what.startswith("ssh cannot read the private key of the secret lab-ssh: Load key")
    shell.close()
    key.write_bytes(right)
    shell = SshShell("board", HOST, jump=Jump(LAB, keys))
    assert shell.run("echo yes").out == b"yes\n"
    shell.close()


def test_a_board_that_is_off(keys, board, shell):
    board.stop()
    fault = fault_of(shell)
    assert fault.what.startswith(f"board is not reached from {LAB}: ")
    board.start()
    assert shell.run("echo yes").out == b"yes\n"


def test_a_pod_knows_the_way_by_its_environment(keys, monkeypatch):
    assert Jump.of_pod() is None
    monkeypatch.setenv(HOST_VARIABLE, LAB)
    monkeypatch.setenv(KEYS_VARIABLE, str(keys))
    assert Jump.of_pod() == Jump(LAB, keys)
    device = open_ssh("board", SshSettings(host=HOST, python=None))
    assert device._transport == f"ssh by way of {LAB}"
    assert device._shell.run("echo yes").out == b"yes\n"
    device.close()


def test_a_phone_hangs_on_the_machine_unless_it_hangs_on_another(keys):
    jump = Jump(LAB, keys)
    phone = open_adb("s21", AdbSettings(serial="R5CT10ABCDE"), jump=jump)
    assert phone._transport == f"adb by way of {LAB}"
    phone.close()
    other = open_adb("s21", AdbSettings(serial="R5CT10ABCDE", via=HOST), jump=jump)
    assert other._transport == f"adb by way of {HOST}"
    other.close()


def test_whoever_submits_goes_the_same_way_with_settings_of_their_own(
    lab, board, keys, tmp_path, monkeypatch
):
    settings = tmp_path / "users"
    settings.mkdir()
    client = settings / "ssh"
    own = keys / "config"
    lines = [own.read_text(), "Host *", f"  IdentityFile {tmp_path / 'mine'}"]
    lines += [f"  UserKnownHostsFile {keys / 'known_hosts'}"]
    (settings / "config").write_text("\n".join(lines) + "\n")
    shutil.copy2(lab.programs.parent / "user", tmp_path / "mine")
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {settings}/config "$@"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{settings}{os.pathsep}{os.environ['PATH']}")
    shell = SshShell("board", HOST, jump=Jump(LAB))
    assert shell.run("echo yes").out == b"yes\n"
    assert lab.connections()
    shell.close()


@pytest.mark.containers
def test_the_image_of_such_pods_has_all_that_the_way_takes(keys: Path) -> None:
    """Its user is not root, and may read the files of a secret, which are root's."""
    from pipelines.images.building import image_name

    asked = (
        "from components.devices.remote.settings import SshSettings\n"
        "from components.devices.remote.ssh_device import open_ssh\n"
        "from components.devices.remote.lock import holder_here\n"
        f"device = open_ssh('board', SshSettings(host={HOST!r}))\n"
        "print(device._shell.run('echo yes').out.decode(), holder_here())\n"
        "device.close()\n"
    )
    place = f"/etc/slimline-devices/{keys.name}"
    started = ["docker", "run", "--rm", "--network=host", f"--volume={keys}:{place}:ro"]
    told = [f"--env={HOST_VARIABLE}={LAB}", f"--env={KEYS_VARIABLE}={place}"]
    for path in (keys, *keys.parents[:2]):
        path.chmod(0o755)
    done = subprocess.run(
        [*started, *told, "--entrypoint=python", image_name("device"), "-c", asked],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("yes\n slimline on "), done.stderr
    pip = [*started, "--entrypoint=python", image_name("device"), "-c"]
    code = (
        "import subprocess; from components.devices.remote.wheels import _with_pip\n"
        "subprocess.run([_with_pip(), '-m', 'pip', '--version'], check=True)"
    )
    found = subprocess.run([*pip, code], check=False, capture_output=True, text=True)
    assert found.stdout.startswith("pip "), found.stderr
