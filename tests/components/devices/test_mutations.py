"""The contracts of devices and of shells fail where one is broken in the ways that matter."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from components.devices.remote import watched
from components.devices.remote.framing import Frame
from components.devices.remote.shell import ShellAnswer
from tests.components.devices import test_device_contract
from tests.components.devices.reaching import Reached, reached, until
from tests.components.devices.remote import test_shell_contract
from tests.components.devices.remote.test_device import probes_in
from tests.data.tiny_lite import write_lite
from tests.servers.processes import send

RED = (AssertionError, pytest.fail.Exception)


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """A board with busybox alone."""
    with reached("busybox", tmp_path_factory.mktemp("busybox")) as found:
        found.device.install()
        yield found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_lite(tmp_path / "small", np.ones((8, 64)), (8, 8, 1)) / "model.tflite"


def without(monkeypatch: pytest.MonkeyPatch, part: str, instead: str = ":") -> None:
    """Leave a part of the script out that runs a probe."""
    assert watched._SCRIPT.count(part) == 1
    monkeypatch.setattr(watched, "_SCRIPT", watched._SCRIPT.replace(part, instead))


def no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, '[ "$found" = "$sha256" ]')


def no_boot_id(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, '[ "$booted" = "$boot" ]')


@pytest.mark.parametrize(
    ("patch", "test"),
    [
        (no_boot_id, lambda way, model, _, __:
            test_device_contract.test_one_that_was_started_again_is_lost(way, model)),
        (no_hash, test_device_contract.test_a_model_that_is_another_there_is_not_timed),
    ],
    ids=["a restart that nobody notices", "a model that is not hashed there"],
)  # fmt: skip
def test_the_contract_of_devices_notices(
    patch: Callable[[pytest.MonkeyPatch], None],
    test: Callable[..., None],
    way: Reached,
    model: Path,
    tmp_path: Path,
) -> None:
    with pytest.MonkeyPatch.context() as unbroken:
        test(way, model, unbroken, tmp_path)
    with pytest.MonkeyPatch.context() as broken:
        patch(broken)
        with pytest.raises(RED):
            test(way, model, broken, tmp_path)


def test_it_notices_a_probe_that_nobody_watches(
    way: Reached, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test of the contract waits for never comes; here it is not waited for as long."""
    without(monkeypatch, '{ cat <&3; kill -9 $probe; rm -rf "$run"; }')
    try:
        test_device_contract.ask_and_die(way, model)
        assert not until(lambda: not test_device_contract.running(way), 3)
        assert way.left() != []
    finally:
        send(probes_in(Path(way.folder)), signal.SIGKILL)
    assert until(lambda: way.left() == [])


def test_the_contract_of_shells_notices_an_answer_without_its_end_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Frame.answer

    def hasty(self: Frame, out: bytes | bytearray, err: bytes | bytearray) -> ShellAnswer | None:
        return answer(self, out, err) or ShellAnswer(0, bytes(out), bytes(err))

    with ExitStack() as stack:
        way = test_shell_contract.opened("sh", tmp_path, stack, monkeypatch)
        test = test_shell_contract.test_no_answer_in_time_is_a_loss_and_nothing_is_left_there
        for broken in (False, True):
            folder = f"{way.folder}/{broken}"
            assert way.says('mkdir -p "$1"', folder) is not None
            if not broken:
                test(way, folder)
                continue
            monkeypatch.setattr(Frame, "answer", hasty)
            with pytest.raises(RED):
                test(way, folder)
