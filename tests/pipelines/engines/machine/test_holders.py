"""Who holds the lock of the machine: others are told, and nothing in the file can break them."""

import subprocess
import sys
import threading

import pytest

from pipelines.engines.machine import admission
from pipelines.engines.machine.admission import machine_lock
from pipelines.engines.machine.holders import Holders


@pytest.fixture
def path(tmp_path):
    return tmp_path / "holders"


def test_names_come_and_go(path):
    holders = Holders(path)
    assert holders.said() == "another slimline holds it"
    with holders.entered("train of run a"):
        assert holders.said() == "train of run a holds it"
        with holders.entered("distill of run b"):
            assert holders.said() == "distill of run b and 1 more hold it"
        assert holders.said() == "train of run a holds it"
    assert holders.said() == "another slimline holds it"


def test_a_killed_process_holds_nothing(path):
    code = (
        "import os, sys, pathlib; from pipelines.engines.machine.holders import Holders\n"
        "with Holders(pathlib.Path(sys.argv[1])).entered('train of run dead'): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert b"dead" in path.read_bytes()
    assert Holders(path).said() == "another slimline holds it"


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b"[]", b"3", b"\xff", b"[" * 60_000, b'{"a": 1}', b'{"a": ["x", 1e999, 0]}',
     b'{"a": ["x", -1, 0]}', b'{"a": ["x", 99999999999999999999, 0]}'],
)  # fmt: skip
def test_damage_tells_nothing(path, data):
    path.write_bytes(data)
    assert Holders(path).said() == "another slimline holds it"
    with Holders(path).entered("train of run a"):
        assert Holders(path).said() == "train of run a holds it"


def test_a_link_in_its_place_is_not_followed(path):
    path.symlink_to(path.with_name("precious"))
    path.with_name("precious").write_bytes(b"mine")
    with Holders(path).entered("train of run a"):
        assert Holders(path).said() == "another slimline holds it"
    assert path.with_name("precious").read_bytes() == b"mine"


def test_who_waits_for_the_machine_is_told_who_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(admission.tempfile, "gettempdir", lambda: str(tmp_path))
    told, got = [], threading.Event()

    def wait():
        with machine_lock(
            "train of run b", alone=False, cancelled=threading.Event(), on_wait=told.append
        ):
            got.set()

    with machine_lock(
        "benchmark of run a", alone=True, cancelled=threading.Event(), on_wait=told.append
    ):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.wait(0.8)
    assert got.wait(5)
    waiting.join()
    assert told == ["benchmark of run a holds it"]
