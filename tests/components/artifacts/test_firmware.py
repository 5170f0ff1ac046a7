"""C files of a model: the bytes of the array, and what is wrong with files that were changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts.firmware import Firmware, array_in, keep_firmware, kept_firmware
from components.artifacts.microcontroller import write_firmware


@given(st.binary(min_size=1, max_size=70))
def test_the_array_holds_the_bytes_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("c")
    write_firmware(folder, content, "0" * 64, 1_024, ["CONV_2D"])
    assert array_in((folder / "model_data.c").read_bytes()) == content


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0x01,", "0x1,"),
        lambda text: text.replace("0x01,", "0x01, 1,"),
        lambda text: text.replace("model_data[]", "other[]"),
        lambda text: text + "// and more\n",
    ],
)
def test_a_file_that_holds_something_else_is_not_read(tmp_path: Path, change) -> None:
    write_firmware(tmp_path, bytes(range(40)), "0" * 64, 1_024, ["CONV_2D"])
    text = (tmp_path / "model_data.c").read_text()
    assert change(text) != text
    assert array_in(change(text).encode()) is None


def test_what_a_manifest_says_is_read_as_it_was_written() -> None:
    firmware = Firmware("mcu", "a.c", "a.h", {"a.c": "1", "a.h": "2"}, "3", 4, 5, ("CONV_2D",))
    assert Firmware.from_json(firmware.to_json()) == firmware
    assert list(firmware.faults("3", {})) == ["has no a.c", "has no a.h"]


def test_a_device_that_wrote_no_c_files_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    keep_firmware(tmp_path / "report", tmp_path / "decision", "host")
    assert kept_firmware(tmp_path / "decision") == {}
