"""Accelerators beside a microcontroller that cycles can be reckoned for: part of a signature."""

from __future__ import annotations

from typing import Literal, TypeAlias

Accelerator: TypeAlias = Literal[
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256",
    "ethos-u65-512", "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024",
    "ethos-u85-2048",
]  # fmt: skip
"""Accelerators that Vela knows, with the number of multiplications that each does in a cycle."""
