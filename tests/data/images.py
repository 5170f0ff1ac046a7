"""Images for tests: real files made in memory, sound and in every way unsound."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 12, 10


def pixels(seed: int, channels: int = 1, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return random pixels, uint8, height x width, x 3 for RGB."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def random_image(seed: int, channels: int = 1) -> Image.Image:
    """Return random pixels as an image."""
    return Image.fromarray(pixels(seed, channels))


def photo(seed: int, height: int = 72, width: int = 96) -> Image.Image:
    """Return a smooth colour image with some detail, as photographs are."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png(seed: int) -> bytes:
    """Return a sound grey PNG."""
    return encoded(random_image(seed), "PNG")


def sixteen_bit(largest: int = 65535) -> Image.Image:
    """Return a grey ramp from 0 to ``largest`` in 16 bits."""
    ramp = np.linspace(0, largest, HEIGHT * WIDTH).astype(np.uint16)
    return Image.fromarray(ramp.reshape(HEIGHT, WIDTH))


def bomb() -> bytes:
    """Return a PNG of 15000 x 15000 pixels that is a few hundred kilobytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 15000, 15000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(15000 * 15001), 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def sixteen_bit_colour() -> bytes:
    """Return a PNG with 16 bits a channel, which decoders cut to 8 without a word."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = zlib.compress(bytes(range(26)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def tiff(pixels: np.ndarray, *, bits: int, meaning: int = 1) -> bytes:
    """Return an uncompressed TIFF of what Pillow cannot write: 16-bit colour, 0 for white.

    Args:
        pixels: Height x width or height x width x 3.
        bits: Of a channel.
        meaning: 0: zero is white; 1: zero is black; 2: RGB.
    """
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    data = pixels.astype(f"<u{bits // 8}").tobytes()
    tags = [
        (256, 3, 1, pixels.shape[1]), (257, 3, 1, pixels.shape[0]), (259, 3, 1, 1),
        (262, 3, 1, meaning), (273, 4, 1, 8 + len(data)), (277, 3, 1, samples),
        (278, 3, 1, pixels.shape[0]), (279, 4, 1, len(data)),
    ]  # fmt: skip
    depths = 8 + len(data)  # three numbers do not fit into a tag: they stand behind the pixels
    tags[4] = (273, 4, 1, 8)
    tags.append((258, 3, samples, bits if samples == 1 else depths))
    behind = struct.pack(f"<{samples}H", *[bits] * samples) + bytes(2 * (samples % 2))
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", depths + len(behind)) + data + behind + directory


def animated(form: str) -> bytes:
    """Return three different frames as one GIF, PNG or WebP."""
    frames = [random_image(seed, 3) for seed in range(3)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def transparent(form: str) -> bytes:
    """Return an image with one pixel that shows what is behind it."""
    image = random_image(1, 3).convert("RGBA")
    image.putpixel((0, 0), (1, 2, 3, 0))
    if form == "GIF":
        return encoded(image, form)
    return encoded(image, form, lossless=True) if form == "WEBP" else encoded(image, form)


def bad() -> Mapping[str, tuple[bytes, str]]:
    """Return files that must be quarantined: name, bytes and the kind of reason."""
    jpeg, sound = encoded(random_image(1, 3), "JPEG"), png(1)
    flipped = bytearray(sound)
    flipped[sound.index(b"IDAT") + 8] ^= 0x10
    return {
        "empty.png": (b"", "empty"),
        "html.jpg": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "not-an-image"),
        "noise.png": (bytes(pixels(3).tobytes()), "not-an-image"),
        "signature.png": (sound[:8], "not-an-image"),
        "document.pdf": (b"%PDF-1.7\n", "not-an-image"),
        "photo.heic": (b"\x00\x00\x00\x18ftypheic" + bytes(40), "not-an-image"),
        "scan.tiff": (b"II*\0" + bytes(40), "not-an-image"),
        "damaged.avif": (b"\x00\x00\x00\x18ftypavif" + bytes(40), "not-an-image"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated.png": (sound[: len(sound) - 30], "truncated"),
        "endless.png": (sound[:-12], "truncated"),  # has all its pixels, and lacks its end
        "truncated.bmp": (encoded(random_image(1), "BMP")[:-20], "truncated"),
        "truncated.pgm": (encoded(random_image(1), "PPM")[:-1], "truncated"),
        "flipped.png": (bytes(flipped), "corrupt"),
        "bomb.png": (bomb(), "too-many-pixels"),
        "animated.gif": (animated("GIF"), "animated"),
        "animated.png": (animated("PNG"), "animated"),
        "animated.webp": (animated("WEBP"), "animated"),
        "pages.tiff": (animated("TIFF"), "animated"),
        "print.jpg": (encoded(random_image(1, 3).convert("CMYK"), "JPEG"), "cmyk"),
        "deep.png": (encoded(sixteen_bit(), "PNG"), "sixteen-bit"),
        "deep.pgm": (encoded(sixteen_bit(), "PPM"), "sixteen-bit"),
        "deep-colour.png": (sixteen_bit_colour(), "sixteen-bit"),
        "deep-colour.ppm": (b"P6 1 1 65535\n" + bytes(range(6)), "sixteen-bit"),
        "deep.tiff": (encoded(sixteen_bit(), "TIFF"), "sixteen-bit"),
        "deep-colour.tiff": (tiff(pixels(1, 3), bits=16, meaning=2), "sixteen-bit"),
        "truncated.tiff": (encoded(random_image(1), "TIFF")[:-20], "truncated"),
        "print.tiff": (encoded(random_image(1, 3).convert("CMYK"), "TIFF"), "cmyk"),
        "float.tiff": (encoded(random_image(1).convert("F"), "TIFF"), "colours"),
        "float.pfm": (b"Pf\n1 1\n1.0\n" + bytes(4), "colours"),
    }


def folder(root: Path, counts: Mapping[str, int], first_seed: int = 1000) -> Path:
    """Write a data folder: for each name a sub-folder with so many different images."""
    seed = first_seed
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(png(seed))
            seed += 1
    return root
