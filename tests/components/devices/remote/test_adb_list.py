"""Phones that adb lists here: what each is called by, and why nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.adb_list import ListedPhone, phones_here, phones_listed
from tests.servers.phone.usb_faults import UsbFaults

LISTED = """\
List of devices attached
R5CT10ABCDE            device usb:1-1.2 product:o1sxxx model:SM_G991B device:o1s transport_id:3
1A2B3C                 unauthorized usb:1-1.4 transport_id:5
TWICE                  device usb:1-1.5 product:a model:A device:a transport_id:6
TWICE                  device usb:1-1.6 product:a model:A device:a transport_id:7
????????????           no permissions (missing udev rules? user is in the plugdev group); see \
[http://developer.android.com/tools/device.html] usb:1-1.7 transport_id:8
pi.lan:5555            offline product:x model:Pi_5 device:y transport_id:9

"""


def test_each_is_called_what_adb_takes() -> None:
    assert phones_listed(LISTED) == [
        ListedPhone("R5CT10ABCDE", "SM_G991B"),
        ListedPhone("1A2B3C", ""),
        ListedPhone("usb:1-1.5", "A"),
        ListedPhone("usb:1-1.6", "A"),
        ListedPhone("usb:1-1.7", ""),
        ListedPhone("pi.lan:5555", "Pi_5"),
    ]
    assert phones_listed("List of devices attached\n\n") == []


def test_adb_is_asked_and_no_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    with UsbFaults("", "R5CT10 no permissions usb:1-1.2\n") as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        assert phones_here() == [ListedPhone("R5CT10", "")]
        assert [question for question in server.asked if "transport" in question] == []


def test_without_adb_nobody_can_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no adb here") as caught:
        phones_here()
    assert caught.value.fix == "install it: apt-get install adb"
    monkeypatch.undo()
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:no-such-host.invalid:5037")
    with pytest.raises(UserError, match=r"phones are not looked for: .*daemon"):
        phones_here()
