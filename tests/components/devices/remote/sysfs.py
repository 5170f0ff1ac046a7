"""A tree as the kernel of a board or a phone shows it, in a folder of a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def written(root: Path, files: Mapping[str, str]) -> str:
    """Write files below a folder, and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(f"{text}\n")
        part.replace(path)  # whoever reads meanwhile reads one or the other
    return str(root)


JETSON: Mapping[str, str] = {
    "class/hwmon/hwmon0/name": "tmp451",
    "class/hwmon/hwmon1/name": "ina3221",
    "class/hwmon/hwmon1/in1_label": "VDD_IN",
    "class/hwmon/hwmon1/in1_input": "5000",
    "class/hwmon/hwmon1/curr1_input": "2000",
    "class/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV",
    "class/hwmon/hwmon1/in2_input": "5000",
    "class/hwmon/hwmon1/curr2_input": "900",
    "class/hwmon/hwmon1/in3_label": "VDD_SOC",
    "class/hwmon/hwmon1/in3_input": "5000",
    "class/hwmon/hwmon1/curr3_input": "700",
    "class/hwmon/hwmon1/in7_label": "sum of shunt voltages",
}
"""A Jetson Orin NX with ten watts, as the documentation of its kernel's driver has it."""

PHONE: Mapping[str, str] = {
    "class/power_supply/battery/type": "Battery",
    "class/power_supply/battery/current_now": "-500000",
    "class/power_supply/battery/voltage_now": "4000000",
    "class/power_supply/usb/type": "USB",
    "class/power_supply/usb/online": "0",
}
"""A phone that takes two watts from its battery."""

PIXEL: Mapping[str, str] = {
    "bus/iio/devices/iio:device0/energy_value": (
        "t=473848\nCH0(T=473848)[S10M_VDD_TPU], 3161249\nCH1(T=473848)[VSYS_PWR_MODEM], 48480309\n"
        "CH3(T=473848)[S2M_VDD_CPUCL2], 28000000\nCH4(T=473848)[S3M_VDD_CPUCL1], 17000000\n"
        "CH5(T=473848)[S4M_VDD_CPUCL0], 113000000\nCH6(T=473848)[S5M_VDD_INT], 12543588"
    ),
    "bus/iio/devices/iio:device1/energy_value": "t=473848\nCH0(T=473848)[S2S_VDD_GPU], 7000000",
}
"""Both meters of a Pixel 6."""


@contextmanager
def changing(change: Callable[[], None], every_s: float = 0.02) -> Iterator[None]:
    """Change a tree again and again, as a sensor does, while the body runs."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            change()
            time.sleep(every_s)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
