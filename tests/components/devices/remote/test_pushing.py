"""Pushing: what a user is told where a file does not fit, and which numbers ``df`` prints."""

from __future__ import annotations

import pytest

from components.contract.errors import UserError
from components.devices.remote.pushing import free_mb
from tests.components.devices.remote.host_shell import KINDS, HostShell


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_told_in_megabytes_and_nothing_is_left_on_it(kind, small_disk, tmp_path):
    shell = HostShell(tmp_path, kind, name="pi5")
    local = tmp_path / "model.tflite"
    local.write_bytes(b"x" * 5_000_000)
    with pytest.raises(UserError) as caught:
        shell.push(local, f"{small_disk}/slimline/model.tflite")
    assert caught.value.what == (
        f"pi5 has no room for model.tflite in {small_disk}/slimline: 1 MB free, 5 MB needed"
    )
    assert caught.value.fix == "free it there, or set `dir` of pi5 to a folder with room"
    assert list((small_disk / "slimline").iterdir()) == []
    shell.push(local, f"{tmp_path}/room/model.tflite")  # the fix


HEAD = "Filesystem     1K-blocks    Used Available Use% Mounted on\n"


@pytest.mark.parametrize(
    ("df", "free"),
    [
        # coreutils, with a name that takes a line of its own; busybox; toybox
        (f"{HEAD}/dev/mapper/a-long-name-indeed\n      30297152 9000000 21000000  30% /\n", 21504),
        (f"{HEAD}/dev/root              7430608   1208400   5883000  17% /\n", 6024),
        (f"{HEAD}/dev/block/dm-44 112345678 12345678 100000000  11% /data\n", 102400),
        ("", None),
        ("df: /nowhere: No such file or directory\n", None),
    ],
)
def test_free_megabytes_are_read_from_what_df_prints(df, free):
    assert free_mb(df) == free
