"""A processor of ARM for what the tests run: the kernel hands its programs to qemu.

All of that is true in a name space of the process alone: this machine is not changed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which

import pytest

_QEMU = "qemu-aarch64-static"
CPU = "cortex-a72"
"""That of a Raspberry Pi 4."""
# Its own and no other's: XNNPACK believes what stands here, and an instruction that the processor
# lacks ends the process.
_CPUINFO = """\
processor\t: {number}
BogoMIPS\t: 125.00
Features\t: fp asimd aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_START = """\
binfmt=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc none $binfmt &&
    printf '%s' ':arm:M::{magic}:{mask}:{interpreter}:' >$binfmt/register &&
    mount --bind {cpuinfo} /proc/cpuinfo || exit 99
exec "$@"
"""
_UNAME = """\
#!{programs}/sh
if [ "$1" = -m ]; then echo aarch64; else exec {programs}/toybox uname "$@"; fi
"""


def on_arm(folder: Path, programs: Path, command: Sequence[str]) -> list[str]:
    """Return a command that runs another one where programs of ARM run.

    The test is skipped where there is no qemu, or no name space of one's own is to be had.

    Args:
        folder: For what that needs; made.
        programs: Those of the phone; ``uname`` among them says what it is.
        command: Is run.
    """
    if which(_QEMU) is None:
        pytest.skip(f"there is no {_QEMU}: .ci/devices install")
    folder.mkdir(parents=True, exist_ok=True)
    interpreter, cpuinfo, start = folder / "qemu", folder / "cpuinfo", folder / "start"
    interpreter.write_text(f'#!/bin/sh\nexec {which(_QEMU)} -cpu {CPU} "$@"\n')
    interpreter.chmod(0o755)
    cpuinfo.write_text("".join(_CPUINFO.format(number=number) for number in range(2)))
    start.write_text(
        _START.format(magic=_MAGIC, mask=_MASK, interpreter=interpreter, cpuinfo=cpuinfo)
    )
    (programs / "uname").unlink(missing_ok=True)
    (programs / "uname").write_text(_UNAME.format(programs=programs))
    (programs / "uname").chmod(0o755)
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", str(start)]
    tried = subprocess.run([*inside, "true"], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"nothing of ARM can be run here: {tried.stderr.strip() or 'no name space'}")
    return [*inside, *command]
