"""Images: decoded when they are sound, refused with a reason when they are not.

What can be turned into 8-bit grey or RGB without a guess is; what cannot is refused: a guess would
teach the model something that no camera shows it.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from components.data.formats import FORMATS, looks_like

_BYTES_A_PIXEL = 8  # of the least economical file: no sound one is longer, beside its header
_HEADER_BYTES = 1 << 20
_JPEG_SCAN = b"\xff\xda"
_MOST_SCANS = 200  # sound files have about ten; a small file of thousands decodes for hours
_PNG_DEPTH = 24  # offset of the bit depth in the header of a PNG
_TIFF_BITS, _TIFF_MEANING = 258, 262  # tags: bits of each channel; 0: white is zero


class BadImage(Exception):  # noqa: N818 a verdict on a file, not a failure of the program
    """An image that cannot be used; ``kind`` groups what ``str`` explains.

    Args:
        kind: One of few words with hyphens, for counting.
        detail: What is wrong with this image.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind = kind

    def __str__(self) -> str:
        return ": ".join(self.args)


@dataclass(frozen=True)
class Decoded:
    """One image that was decoded.

    Attributes:
        pixels: uint8, height x width x channels.
        same: The same as Pillow has it, grey or RGB.
    """

    pixels: NDArray[np.uint8]
    same: Image.Image


def decode_image(
    data: bytes,
    *,
    channels: int,
    maximum: int = 255,
    max_pixels: int = 50_000_000,
    background: tuple[int, int, int] = (255, 255, 255),
) -> Decoded:
    """Decode one image, turned upright as its EXIF orientation says.

    Bilevel, palette, grey and RGB images of 8 bits and 16-bit grey ones are converted; colour
    profiles are ignored, as apps do. Netpbm files state their own largest value. Of several images
    in a JPEG or HEIC of a phone, the one that is shown counts. The CRC of every PNG chunk is
    checked; a JPEG has none, so flipped bits in its data can go unseen.

    Args:
        data: The file.
        channels: 1 for grey (ITU-R 601-2 luma), 3 for RGB.
        maximum: Value that becomes 255. Above 255 it concerns 16-bit images, which are
            refused without it; up to 255 the 8-bit ones.
        max_pixels: Most pixels, known from the header before anything is decoded.
        background: Red, green and blue, 0 to 255, behind what is transparent.

    Returns:
        The image in the size of the file.

    Raises:
        BadImage: The image is damaged, too large, or would need a guess.
    """
    if not data:
        raise BadImage("empty", "the file has no bytes")
    if len(data) > max_bytes(max_pixels):
        raise BadImage("too-large", f"{len(data)} bytes are more than any image allowed here has")
    try:
        return _decode(data, channels, maximum, max_pixels, background)
    except Image.UnidentifiedImageError:
        raise BadImage("not-an-image", looks_like(data)) from None
    except Image.DecompressionBombError as error:  # Pillow's own limit, before the size is known
        (count,) = re.findall(r"\d+", str(error))[:1]
        raise BadImage("too-many-pixels", f"{count} are more than {max_pixels}") from None
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 decoders raise anything at all on damaged bytes
        text = str(error) or type(error).__name__
        kind = "truncated" if "truncated" in text.lower() else "corrupt"
        raise BadImage(kind, text) from None


def max_bytes(max_pixels: int) -> int:
    """Return the length above which no file is worth reading."""
    return max_pixels * _BYTES_A_PIXEL + _HEADER_BYTES


def from_array(array: NDArray[np.generic], *, channels: int, maximum: int) -> NDArray[np.uint8]:
    """Bring an image that came as numbers into the form that ``decode_image`` gives.

    Args:
        array: Height x width, or height x width x 1 or 3; integers, floats or booleans.
        channels: 1 or 3.
        maximum: Value that becomes 255.

    Returns:
        uint8, height x width x channels.

    Raises:
        BadImage: A value is no number, or not within 0 and ``maximum``.
    """
    grey = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    eight = _scaled(grey, maximum)
    if channels == 3 and eight.ndim == 2:
        return np.repeat(eight[:, :, None], 3, axis=2)
    if channels == 1 and eight.ndim == 3:
        return np.asarray(Image.fromarray(eight).convert("L"))[:, :, None]
    return eight.reshape((*eight.shape[:2], channels))


def pillow_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return the image of pixels, height x width x 1 or 3."""
    return Image.fromarray(
        np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    )


def pixel_digest(image: NDArray[np.uint8]) -> str:
    """Return the sha256 over shape and pixels: equal for files that show the same."""
    state = hashlib.sha256(repr(image.shape).encode())
    state.update(np.ascontiguousarray(image).data)
    return state.hexdigest()


def _decode(
    data: bytes, channels: int, maximum: int, max_pixels: int, background: tuple[int, int, int]
) -> Decoded:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise BadImage("too-many-pixels", f"{width} x {height} are more than {max_pixels}")
        if image.format == "PNG":
            _check_png(data)
        if image.format in ("JPEG", "MPO") and data.count(_JPEG_SCAN) > _MOST_SCANS:
            raise BadImage("corrupt", f"more than {_MOST_SCANS} scans, each a pass over it all")
        # A file with a second image behind the one that is shown, as phones write it, is sound.
        if image.format not in ("MPO", "HEIF") and getattr(image, "is_animated", False):
            raise BadImage("animated", "which of its frames or pages is meant is unknown")
        depth = _depth(image, data)
        if image.mode == "CMYK":
            raise BadImage("cmyk", "print colours have no one meaning in RGB; save it as RGB")
        _check_depth(image, depth, maximum)
        ImageOps.exif_transpose(image, in_place=True)
        if depth > 8:
            # Netpbm states its largest value, and the decoder has brought that to 65535.
            full = 65535 if image.format == "PPM" else maximum
            return _from_numbers(np.asarray(image), channels, full)
        own = image.format == "PPM" or image.mode in ("1", "P")  # states its values itself
        full = 255 if own else min(maximum, 255)
        opaque = _opaque(image, background, full)
        if full == 255:
            mode = "L" if channels == 1 else "RGB"
            same = opaque if opaque.mode == mode else opaque.convert(mode)
            return Decoded(np.asarray(same).reshape((same.height, same.width, channels)), same)
        return _from_numbers(np.asarray(opaque), channels, full)


def _from_numbers(array: NDArray[np.generic], channels: int, maximum: int) -> Decoded:
    pixels = from_array(array, channels=channels, maximum=maximum)
    return Decoded(pixels, pillow_image(pixels))


def _check_png(data: bytes) -> None:
    """Check all chunks to the last: decoding alone stops looking when it has its pixels."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.verify()


def _depth(image: Image.Image, data: bytes) -> int:
    """Return the bits of a channel in the file; the mode alone does not tell."""
    if image.format == "PNG":
        return data[_PNG_DEPTH]
    tiles = cast("list[Any]", getattr(image, "tile", []))  # of the image files alone, not of Image
    if image.format == "PPM" and tiles:
        arguments: object = tiles[0].args
        if isinstance(arguments, tuple) and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return 16
    if image.format == "TIFF" and image.mode != "F":  # of floats, the mode is the fault
        return max(_tag(image, _TIFF_BITS, (8,)))
    return 16 if image.mode.startswith("I") else 8


def _check_depth(image: Image.Image, depth: int, maximum: int) -> None:
    """Refuse what has more than 8 bits a channel, unless it is grey and its scale is known."""
    if depth <= 8:
        return
    grey = image.mode.startswith("I") and not image.has_transparency_data
    if not grey:
        raise BadImage("sixteen-bit", "16 bits a channel, in colour; save it with 8")
    if maximum <= 255:
        raise BadImage(
            "sixteen-bit",
            "16 bits a channel; set image.maximum, to 65535 where all are used, or save it with 8",
        )
    if image.format == "TIFF" and _tag(image, _TIFF_MEANING, 1) == 0:
        raise BadImage("inverted", "16 bits with 0 for white; save it with 0 for black")


def _tag(image: Image.Image, number: int, default: Any) -> Any:
    """Return a field of a TIFF's header."""
    return cast("Any", image).tag_v2.get(number, default)


def _opaque(image: Image.Image, background: tuple[int, ...], full: int) -> Image.Image:
    """Return the image as L or RGB, on the background where it is transparent.

    Args:
        image: Of 8 bits or fewer.
        background: Red, green and blue, 0 to 255.
        full: What is white in the image, up to 255.

    Raises:
        BadImage: It has colours that are none of these.
    """
    if image.has_transparency_data:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            colour = tuple(round(value * full / 255) for value in background)
            behind = Image.new("RGBA", image.size, (*colour, 255))
            image = Image.alpha_composite(behind, image)
        return image.convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("1", "P"):
        return image.convert("L" if image.mode == "1" else "RGB")
    raise BadImage("colours", f"mode {image.mode} is neither grey nor RGB")


def _scaled(values: NDArray[np.generic], maximum: int) -> NDArray[np.uint8]:
    """Bring 0 to ``maximum`` to 0 to 255, rounded."""
    if values.dtype == np.uint8 and maximum == 255:
        return values.astype(np.uint8, copy=False)
    numbers = values.astype(np.float64)
    low, high = numbers.min(), numbers.max()
    if not (low >= 0 and high <= maximum):  # written so that NaN fails too
        raise BadImage("range", f"pixels from {low:g} to {high:g}; expected 0 to {maximum}")
    numbers *= 255 / maximum
    return np.rint(numbers, out=numbers).astype(np.uint8)
