"""The GPU that an engine gave to a step: which one, and whether the frameworks can use it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Generator
from contextvars import ContextVar
from dataclasses import dataclass

from components.contract.errors import UserError

_DRIVER = "libcuda.so.1"
_FIX = (
    "give the step a node, or a container, with a GPU and its driver (nvidia-smi shows both), or "
    "remove gpu from its limits, to train on the CPU"
)


@dataclass
class Accelerator:
    """The GPU of one step.

    Attributes:
        device: How CUDA calls it: a number, or ``GPU-...`` as ``nvidia-smi -L`` lists it.
        name: Its model, as soon as a framework has found it.
    """

    device: str
    name: str | None = None


_GIVEN: ContextVar[Accelerator | None] = ContextVar("accelerator", default=None)
"""Of the call that is being executed: a component's signature knows no devices of engines."""


@contextlib.contextmanager
def giving(accelerator: Accelerator | None) -> Generator[None]:
    """Let the frameworks, which must not be imported yet, see this GPU alone; None: no GPU."""
    if accelerator:
        os.environ["CUDA_VISIBLE_DEVICES"] = accelerator.device
        # All memory is taken at once otherwise, and a program that a step starts finds none.
        os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    token = _GIVEN.set(accelerator)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def given() -> Accelerator | None:
    """Return the GPU that the step has to use, or None."""
    return _GIVEN.get()


def unusable(accelerator: Accelerator) -> UserError:
    """Return the error for a GPU that the framework does not see, with the driver's reason.

    A training would go on without it otherwise, on the CPU, while the GPU is paid for.
    """
    return UserError(
        f"the step was given the GPU {accelerator.device}, and TensorFlow sees none: "
        f"{_driver_says()}",
        _FIX,
    )


def _driver_says() -> str:
    """Ask the driver itself, which knows more than that there is nothing."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError as error:
        return f"there is no NVIDIA driver here ({error})"
    code = driver.cuInit(0)
    if code:
        return f"the driver answers {_named(driver, code)}"
    count = ctypes.c_int()
    code = driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return f"the driver shows no device ({_named(driver, code)})"
    return (
        "the driver shows one, so it is the CUDA libraries of tensorflow[and-cuda] that are "
        "missing or too new for this driver; the log above names them"
    )


def _named(driver: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    known = driver.cuGetErrorName(code, ctypes.byref(text)) == 0 and text.value
    return f"{text.value.decode()} ({code})" if known and text.value else f"code {code}"
