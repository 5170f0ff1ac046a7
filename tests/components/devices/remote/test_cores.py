"""Cores: which a model is bound to, by what a kernel says of them."""

from __future__ import annotations

import pytest

from components.contract.errors import UserError
from components.devices.remote.cores import Core, clocks_of, cores_for, cores_in
from components.devices.remote.raw_files import RawFiles

CPU = "/sys/devices/system/cpu/cpu{}/{}"
PHONE = tuple(Core(number, 2840 if number == 7 else 2420 if number > 3 else 1800)
              for number in range(8))  # fmt: skip
BOARD = tuple(Core(number, 2400) for number in range(4))


def clocks(*khz: int) -> RawFiles:
    texts = {
        CPU.format(number, "cpufreq/cpuinfo_max_freq"): f"{clock}\n"
        for number, clock in enumerate(khz)
    }
    return RawFiles(texts, ())


def test_clocks_come_from_the_kernel() -> None:
    raw = clocks(1_800_000, 1_800_000, 2_400_000)
    assert cores_in(raw, (0, 2)) == (Core(0, 1800), Core(2, 2400))
    assert clocks_of(raw) == "1 x 2400, 2 x 1800"


def test_where_no_clock_is_told_the_kernels_own_measure_tells_which_are_fast() -> None:
    raw = RawFiles(
        {CPU.format(0, "cpu_capacity"): "446", CPU.format(1, "cpu_capacity"): "1024"}, ()
    )
    assert cores_in(raw, (0, 1)) == (Core(0, 446), Core(1, 1024))
    assert clocks_of(raw) == ""


@pytest.mark.parametrize(
    ("choice", "threads", "chosen"),
    [
        ("big", 1, (7,)),
        ("big", 4, (4, 5, 6, 7)),
        ("big", 5, (0, 1, 2, 3, 4, 5, 6, 7)),
        ("little", 4, (0, 1, 2, 3)),
        ("little", 5, (0, 1, 2, 3, 4, 5, 6)),
        ("any", 4, None),
        ("4,5,4", 2, (4, 5)),
    ],
)
def test_cores_of_a_phone(choice: str, threads: int, chosen: tuple[int, ...] | None) -> None:
    assert cores_for(choice, PHONE, threads, "s21") == chosen


@pytest.mark.parametrize("choice", ["big", "little", "any"])
def test_a_board_with_one_kind_of_core_is_not_bound(choice: str) -> None:
    assert cores_for(choice, BOARD, 4, "pi5") is None


@pytest.mark.parametrize(
    ("choice", "threads", "what", "better"),
    [
        ("4,9", 1, "s21 has no core 9", ("4,7", 1)),
        ("4,5", 3, "3 threads on 2 cores of s21", ("4,5", 2)),
        ("big", 9, "9 threads on 8 cores of s21", ("big", 8)),
    ],
)
def test_what_is_not_there_is_refused(
    choice: str, threads: int, what: str, better: tuple[str, int]
) -> None:
    with pytest.raises(UserError, match=what):
        cores_for(choice, PHONE, threads, "s21")
    assert cores_for(better[0], PHONE, better[1], "s21")
