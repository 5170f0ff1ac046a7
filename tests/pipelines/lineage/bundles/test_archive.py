"""The archive of a bundle: one form, readable by others, and nothing hostile passes."""

import io
import struct
import warnings
import zipfile
import zlib

import pytest

from components.contract.errors import UserError
from pipelines.lineage.bundles import archive
from pipelines.lineage.bundles.archive import NoArchiveError, read_archive, write_archive

FILES = {"bundle.json": b"{}", "store/cas/x": b"\0" * 100, "release/model.tflite": b"TFL3"}


def test_what_is_written_is_read_and_others_read_it_too():
    data = write_archive(FILES)
    assert read_archive(data) == FILES
    assert write_archive(dict(reversed(FILES.items()))) == data
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == FILES
        assert other.getinfo("bundle.json").date_time == (1980, 1, 1, 0, 0, 0)


def test_every_changed_byte_is_refused_or_shows_in_a_file():
    """What changes the contents with their checksum the digests of the bundle find."""
    data = write_archive(FILES)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x20
        with pytest.raises(NoArchiveError):
            read_archive(bytes(changed))
    for end in range(0, len(data), 7):
        with pytest.raises(NoArchiveError):
            read_archive(data[:end])
    with pytest.raises(NoArchiveError):
        read_archive(data + b"\0")


def zipped(*entries, method=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(made, "w", method) as file:
        for name, data in entries:
            file.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no zip file"),
        (b"PK\x05\x06" + b"\0" * 18, "no zip file"),
        (b"PK\x03\x04", "cut short"),
        (zipped(("../../etc/passwd", b"x")), "a name that no bundle has"),
        (zipped(("/etc/passwd", b"x")), "a name that no bundle has"),
        (zipped(("a/../b", b"x")), "a name that no bundle has"),
        (zipped(("a\\b", b"x")), "a name that no bundle has"),
        (zipped(("a\nb", b"x")), "a name that no bundle has"),
        (zipped(("n" * 5000, b"x")), "a name that no bundle has"),
        (zipped(("bomb", b"\0" * 10_000_000), method=zipfile.ZIP_DEFLATED), "compressed"),
        (zipped(("a", b"x"), ("a", b"y")), "two files a"),
        (zipped(("b", b"x"), ("a", b"y")), "not in the order"),
        (zipped(("a", b"x")), "differs from what its own files give"),
        (b"#!/bin/sh\n" + write_archive(FILES), "no zip file"),
    ],
)
def test_hostile_archives_are_refused(data, said):
    with pytest.raises(NoArchiveError, match=said):
        read_archive(data)


def test_a_size_that_is_not_there_takes_no_memory():
    name = b"a"
    claimed = 0xFFFFFFF0
    head = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(b""), claimed, claimed, 1, 0
    )
    with pytest.raises(NoArchiveError, match="which are not there"):
        read_archive(head + name + b"tiny")


def test_what_is_too_much_for_the_format_is_refused(monkeypatch):
    monkeypatch.setattr(archive, "ENTRIES_MAX", 2)
    with pytest.raises(UserError, match="at most 2 of"):
        write_archive(FILES)
    two = dict(list(FILES.items())[:2])
    assert read_archive(write_archive(two)) == two
