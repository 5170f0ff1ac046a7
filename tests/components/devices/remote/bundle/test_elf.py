"""Elf files: which libraries they need, held against what the loader of this machine says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.devices.remote.bundle.elf import read_elf

PROGRAMS = sorted({Path(sys.executable).resolve(), Path(shutil.which("sh") or "/bin/sh").resolve()})


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_what_a_program_needs_is_what_the_loader_loads(program: Path) -> None:
    found = read_elf(program.read_bytes())
    assert found is not None
    loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert "libc.so.6" in found.needed
    assert set(found.needed) <= set(re.findall(r"^\s*(\S+)", loaded, re.MULTILINE))
    assert found.page_bytes >= 4096


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_none_is_said(content: bytes) -> None:
    assert read_elf(content) is None
