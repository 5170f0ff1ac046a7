"""Formats: which files of images are decoded, and what other files seem to be.

HEIC takes a package of its own, ``pillow-heif``, which is there or not; AVIF comes with Pillow.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

_READERS = (
    AvifImagePlugin.AvifImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)
READS_HEIF = find_spec("pillow_heif") is not None
"""Whether HEIC and HEIF files can be decoded here."""

if READS_HEIF:
    importlib.import_module("pillow_heif.HeifImagePlugin")  # makes itself known to Pillow

FORMATS = (*(str(reader.format) for reader in _READERS), *(("HEIF",) if READS_HEIF else ()))
"""What is decoded, told by content and never by name; PPM includes PGM and PBM."""

_LOOKS_LIKE = (
    (b"<", "HTML or XML"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"II*\x00", "a damaged TIFF"),
    (b"MM\x00*", "a damaged TIFF"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"8BPS", "a Photoshop file"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    **dict.fromkeys((b"mif1", b"msf1"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


def looks_like(data: bytes) -> str:
    """Say what a file that none of the decoders knows seems to be.

    Args:
        data: The file.
    """
    start = data[:512].lstrip()
    for magic, name in _LOOKS_LIKE:
        if start.startswith(magic) or data.startswith(magic):
            return f"looks like {name}"
    if data[4:8] == b"ftyp" and (name := _BRANDS.get(data[8:12])):
        if name == "AVIF" or READS_HEIF:
            return f"looks like a damaged {name}"
        return (
            f"looks like {name}, which takes the package pillow-heif: install slimline[heif], or "
            "save it as JPEG"
        )
    return f"none of {', '.join(FORMATS)}"
