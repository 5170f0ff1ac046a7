"""Between two models a device cools down to what it was, or long enough."""

from __future__ import annotations

import time

import pytest

from components.devices.device import State
from components.measure.cooling import cool_down
from tests.components.measure.simulated import SimulatedDevice


class CoolingDevice(SimulatedDevice):
    """Ten degrees warmer than it was met, and a degree less with each look."""

    looks = 0

    def state(self) -> State:
        self.looks += 1
        return {"temperature_c": 41.0 - self.looks}


def test_it_is_waited_for_until_it_is_hardly_warmer() -> None:
    device = CoolingDevice([[1.0]])
    cool_down(device, {"temperature_c": 30.0}, look_s=0.001)
    assert device.looks == 8


def test_it_is_not_waited_for_longer_than_long_enough() -> None:
    device = CoolingDevice([[1.0]])
    start = time.monotonic()
    cool_down(device, {"temperature_c": -50.0}, most_s=0.05, look_s=0.01)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("met", [{}, {"temperature_c": "denied"}])
def test_without_a_temperature_there_is_nothing_to_wait_for(met: State) -> None:
    device = CoolingDevice([[1.0]])
    cool_down(device, met)
    assert device.looks == 0
