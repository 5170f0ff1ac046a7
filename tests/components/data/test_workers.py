"""Images shared between processes: in order, with every failure told, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from components.data.workers import in_order

COUNT = 1_000


def numbers() -> range:
    return range(COUNT)


def made(work: Callable[[int, int], Any], count: int = 3) -> list[Any]:
    return list(in_order(work, numbers, count, str))


def children() -> set[int]:
    """Children of the thread that runs the tests; those of earlier tests may end at any time."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in listed.split()}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_results_come_in_order_whoever_made_them(count: int) -> None:
    before = children()
    results = made(lambda place, item: (place, item * 2, os.getpid()), count)
    assert [(place, double) for place, double, _ in results] == [(i, 2 * i) for i in range(COUNT)]
    makers = {pid for _, _, pid in results}
    assert len(makers) == count
    assert (os.getpid() in makers) == (count == 1)
    assert children() <= before


def test_for_few_items_no_process_is_started() -> None:
    few = range(64)
    results = list(in_order(lambda _, item: (item, os.getpid()), lambda: few, 2, str))
    assert results == [(item, os.getpid()) for item in few]


def test_what_the_work_raises_is_raised_as_it_is() -> None:
    def work(place: int, item: int) -> int:
        if place == 700:
            raise UserError("item 700 is wrong", "remove it")
        return item

    before = children()
    with pytest.raises(UserError, match="item 700 is wrong") as caught:
        made(work)
    assert caught.value.fix == "remove it"
    assert children() <= before


def test_an_error_that_cannot_be_handed_over_comes_as_its_text() -> None:
    class OddError(Exception):
        def __init__(self, one: int, other: int) -> None:
            super().__init__("odd as it is")

    def work(place: int, item: int) -> int:
        if place == 500:
            raise OddError(1, 2)
        return item

    with pytest.raises(RuntimeError, match="odd as it is"):
        made(work)


def test_a_worker_that_is_killed_is_told_with_what_it_worked_on() -> None:
    def work(place: int, item: int) -> int:
        if place == 200:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    before = children()
    with pytest.raises(UserError, match="one of 32, 192 to 223") as caught:
        made(work)
    assert "memory" in caught.value.fix
    assert children() <= before
    assert made(lambda _, item: item) == list(range(COUNT))  # the fix: run again


def test_who_stops_reading_leaves_no_worker_behind() -> None:
    before = children()
    results = in_order(lambda _, item: item, numbers, 2, str)
    assert next(results) == 0
    assert len(children() - before) == 2
    results.close()  # type: ignore[attr-defined] a generator
    assert children() <= before


def test_workers_die_with_their_parent() -> None:
    program = (
        "import os, sys, time\n"
        "from components.data.workers import in_order\n"
        "def work(place, item):\n"
        "    if place == 40: time.sleep(600)\n"
        "    return os.getpid()\n"
        "seen = in_order(work, lambda: range(1000), 2, str)\n"
        "print(next(seen), flush=True)\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "next(x for x in seen if x == 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"left behind: {pids}"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
