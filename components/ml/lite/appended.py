"""Files behind the flatbuffer of a ``.tflite``: a zip archive, as the metadata of apps keeps them.

Readers find the archive from the end of the file, the runtime reads the flatbuffer from its start.

References:
    https://ai.google.dev/edge/litert/models/metadata (associated files)
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def files_of(content: bytes) -> dict[str, bytes]:
    """Return the files in the archive by name; none where there is no archive."""
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return {}
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def begin_of(content: bytes) -> int | None:
    """Return where the archive begins; None where there is none."""
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return None
    with zipfile.ZipFile(stream) as archive:
        return min((entry.header_offset for entry in archive.infolist()), default=None)


def with_files(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return ``content`` with an archive of ``files`` behind it: stored as they are, undated.

    Args:
        content: A flatbuffer without an archive.
        files: By name.
    """
    stream = io.BytesIO(content)
    stream.seek(0, io.SEEK_END)
    # Places in the archive count from the start of the whole file: that is how MediaPipe reads it.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()
