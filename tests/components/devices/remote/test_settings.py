"""Settings of remote devices: what is accepted, and nothing that a shell could take for more."""

from __future__ import annotations

import pytest

from components.contract.interface import interface_of

SSH = {item.name: item for item in interface_of("benchmark_ssh").parameters}
ADB = {item.name: item for item in interface_of("benchmark_adb").parameters}


@pytest.mark.parametrize(
    ("value", "meant"),
    [("big", "big"), ([4, 5], "4,5"), ("4,5,6", "4,5,6"), (3, "3"), ([0], "0")],
)
def test_cores(value: object, meant: str) -> None:
    assert SSH["cores"].validate(value, strict=True) == meant


@pytest.mark.parametrize("value", ["huge", "4-7", [], "4,", [-1], True, None, ["a"]])
def test_cores_that_are_none(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SSH["cores"].validate(value, strict=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "-oProxyCommand=evil"),
        ("host", "pi; rm -rf /"),
        ("dir", "/"),
        ("dir", "~/"),
        ("dir", "~root"),
        ("dir", "/tmp/a b"),
        ("dir", "relative"),
        ("python", "-c"),
        ("python", "$(evil)"),
    ],
)
def test_what_a_shell_or_ssh_would_take_for_more(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        SSH[name].validate(value, strict=True)


@pytest.mark.parametrize("value", ["pi5", "pi@10.0.0.7", "fe80::1"])
def test_hosts(value: str) -> None:
    assert SSH["host"].validate(value, strict=True) == value


@pytest.mark.parametrize("value", ["R5CT10ABCDE", "usb:1-1.3", "192.168.1.7:5555"])
def test_serials(value: str) -> None:
    assert ADB["serial"].validate(value, strict=True) == value


def test_folders_differ() -> None:
    assert SSH["dir"].default == "~/.cache/slimline"
    assert ADB["dir"].default == "/data/local/tmp/slimline"
    assert ADB["via"].default is None
