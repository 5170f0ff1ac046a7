"""Probing: what ``probe.py`` is told, on whichever device it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from components.devices.timing_plan import LastingPlan, TimingPlan

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import probe as probe  # noqa: PLC0414 named, never used

PROBE = Path(__file__).with_name("probe.py")
LEAST_BLOCK_MS = 10.0
"""Of timed work in every block, however fast the model."""


def check_time(plan: TimingPlan) -> None:
    """Refuse a plan that no model keeps: its warm-up and blocks take longer than its limit.

    Raises:
        UserError: They do.
    """
    least_s = (plan.warm_up_ms + plan.blocks * LEAST_BLOCK_MS) / 1e3
    if least_s >= plan.limit_s:
        raise UserError(
            f"a process that warms up for {plan.warm_up_ms:g} ms and times {plan.blocks} blocks of "
            f"{LEAST_BLOCK_MS:g} ms or more takes {least_s:g} s, and its limit is "
            f"{plan.limit_s:g} s",
            f"set limit_s of benchmark to {10 * least_s:g}, or warm_up_ms or blocks lower",
        )


def probe_arguments(plan: TimingPlan, seed: int) -> tuple[str, ...]:
    """Return what ``probe.py`` is told of a plan, on any device.

    Args:
        plan: How a model is timed.
        seed: Of the input.
    """
    lasting = ("--for-s", str(plan.for_s)) if isinstance(plan, LastingPlan) else ()
    return (
        *lasting,
        *("--threads", str(plan.threads), "--seed", str(seed)),
        *("--blocks", str(plan.blocks), "--block-ms", str(plan.block_ms)),
        *("--warm-up-ms", str(plan.warm_up_ms), "--least-ms", str(LEAST_BLOCK_MS)),
    )
