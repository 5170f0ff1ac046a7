"""Cooling: a device is left as warm as it was met, so that the next model finds the same."""

from __future__ import annotations

import time

from components.devices.device import Device, State

WARMER_K = 3.0
MOST_S = 60.0
_LOOK_S = 2.0
_HEAT = "temperature_c"


def cool_down(device: Device, met: State, most_s: float = MOST_S, look_s: float = _LOOK_S) -> None:
    """Wait until a device is hardly warmer than it was met, or long enough.

    Args:
        device: Which.
        met: How it was as the measurement began; without a temperature there is nothing to wait
            for.
        most_s: How long is enough.
        look_s: Between two looks.

    Raises:
        LostError: The device went away.
    """
    was, end_s = met.get(_HEAT), time.monotonic() + most_s
    while isinstance(was, float) and time.monotonic() < end_s:
        now = device.state().get(_HEAT)
        if not isinstance(now, float) or now <= was + WARMER_K:
            return
        time.sleep(look_s)
