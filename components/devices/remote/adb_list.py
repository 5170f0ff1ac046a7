"""Adb list: the phones that hang on this machine, as its adb lists them.

References:
    ``transport.cpp`` of AOSP's ``packages/modules/adb`` (one line a phone: its serial number, its
    state, and words such as ``usb:1-1.2`` and ``model:Pixel_6``).
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass

from components.contract.errors import UserError

_LIMIT_S = 10.0
_NUMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*")
_LINE = re.compile(r"^(?P<serial>\S+)\s+(?P<state>\S.*)$")
_WORD = re.compile(r"\b(usb|model):(\S+)")


@dataclass(frozen=True)
class ListedPhone:
    """A phone that hangs on this machine, whether it lets us in or not.

    Attributes:
        serial: What ``adb -s`` takes: its serial number; or ``usb:PORT``, where another phone has
            the same one, or adb may not read it.
        model: What its maker calls it; empty where it does not say.
    """

    serial: str
    model: str


def phones_listed(text: str) -> list[ListedPhone]:
    """Return the phones that ``adb devices -l`` prints; not those that cannot be addressed.

    Args:
        text: Its output.
    """
    lines = [found for line in text.splitlines()[1:] if (found := _LINE.match(line))]
    serials = Counter(line["serial"] for line in lines)
    phones: list[ListedPhone] = []
    for line in lines:
        words = dict(_WORD.findall(line["state"]))
        port = f"usb:{words['usb']}" if "usb" in words else None
        own = line["serial"] if _NUMBER.fullmatch(line["serial"]) else None
        if serial := own if own and serials[own] == 1 else port:
            phones.append(ListedPhone(serial, words.get("model", "")))
    return phones


def phones_here() -> list[ListedPhone]:
    """Ask adb which phones hang on this machine; nothing is sent to them.

    Raises:
        UserError: There is no adb, or it gets no server to run.
    """
    try:
        done = subprocess.run(
            ["adb", "devices", "-l"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
        )
    except FileNotFoundError:
        raise UserError(
            "phones are not looked for: there is no adb here", "install it: apt-get install adb"
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(
            f"phones are not looked for: adb says nothing in {_LIMIT_S:g} s",
            "make `adb devices -l` work",
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(
            f"phones are not looked for: {said[-1] if said else 'adb fails'}",
            "make `adb devices -l` work",
        )
    return phones_listed(done.stdout.decode(errors="replace"))
