"""Architecture: which processors a program is for, by the first bytes of its file.

References:
    Linux, elf(5): ``e_ident``, ``e_machine``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from components.contract.errors import UserError

_MAGIC, _MACHINE_AT = b"\x7fELF", 18
_MACHINES: Final = {3: "x86", 40: "ARM of 32 bits", 62: "x86-64", 183: "ARM of 64 bits",
                    243: "RISC-V"}  # fmt: skip
_RUNS: Final = {
    "aarch64": ("ARM of 64 bits", "ARM of 32 bits"),
    "arm64": ("ARM of 64 bits", "ARM of 32 bits"),
    "armv8l": ("ARM of 32 bits",),
    "armv7l": ("ARM of 32 bits",),
    "x86_64": ("x86-64", "x86"),
    "i686": ("x86",),
    "riscv64": ("RISC-V",),
}
"""What a kernel runs, by what it calls its own architecture."""


def check_architecture(program: Path, arch: str, device: str) -> None:
    """Refuse a program that a device cannot run.

    What is no ELF file may be a script, and architectures that are not known here may run it.

    Args:
        program: Its file.
        arch: Of the device, as ``uname -m`` says.
        device: Its name.

    Raises:
        UserError: It is for other processors.
    """
    with program.open("rb") as file:
        begin = file.read(_MACHINE_AT + 2)
    if not begin.startswith(_MAGIC) or len(begin) < _MACHINE_AT + 2 or arch not in _RUNS:
        return
    machine = int.from_bytes(begin[_MACHINE_AT:], "little")
    built_for = _MACHINES.get(machine, f"another processor (number {machine})")
    if built_for not in _RUNS[arch]:
        raise UserError(
            f"{device} is {arch} and cannot execute {program.name}, which is for {built_for}",
            f"give the benchmark_model for {_RUNS[arch][0]} as runner of {device}",
        )
