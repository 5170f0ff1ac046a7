"""Packages of Debian: what is read of them, and what is refused."""

from __future__ import annotations

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle.deb import read_deb
from tests.components.devices.remote.bundle.debs import ar_of, deb_of, tar_of


def test_files_and_links_are_read() -> None:
    deb = deb_of({"usr/lib/libx.so.1.2": b"odd", "a": b""}, {"usr/lib/libx.so.1": "libx.so.1.2"})
    found = read_deb(deb, "libx")
    assert found.files == {"usr/lib/libx.so.1.2": b"odd", "a": b""}
    assert found.links == {"usr/lib/libx.so.1": "libx.so.1.2"}


def test_a_package_without_compression_is_read() -> None:
    deb = ar_of({"debian-binary": b"2.0\n", "data.tar": tar_of({"a": b"b"})})
    assert read_deb(deb, "x").files == {"a": b"b"}


def test_a_package_of_another_kind_is_refused_by_name() -> None:
    deb = ar_of({"debian-binary": b"2.0\n", "data.tar.zst": b"\x28\xb5\x2f\xfd"})
    with pytest.raises(UserError, match=r"libc6 holds data.tar.zst, and") as caught:
        read_deb(deb, "libc6")
    assert "mirrors of Debian in SLIMLINE_DEBIAN_MIRRORS" in caught.value.fix


@pytest.mark.parametrize("content", [b"", b"<html>", ar_of({"debian-binary": b"2.0\n"})])
def test_what_is_no_package_is_said(content: bytes) -> None:
    with pytest.raises(UserError, match="as the package libc6 is none of Debian's"):
        read_deb(content, "libc6")
