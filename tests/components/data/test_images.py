"""Images: what can be read without a guess is, all else is refused, and nothing hangs."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.data.formats import READS_HEIF
from components.data.images import BadImage, decode_image, from_array, pixel_digest
from tests.data import images as files
from tests.data.images import HEIGHT, WIDTH, encoded, pixels, random_image

BAD = files.bad()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged TIFFs


def decode(data: bytes, **settings: Any) -> np.ndarray:
    """Pixels of a file; what Pillow has of them must be the same."""
    decoded = decode_image(data, **settings)
    assert decoded.same.mode in ("L", "RGB")
    assert np.array_equal(np.atleast_3d(np.asarray(decoded.same)), decoded.pixels)
    return decoded.pixels


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "PPM", "TIFF"])
def test_lossless_grey_is_read_as_it_is(form: str) -> None:
    image = decode(encoded(random_image(1), form), channels=1)
    assert np.array_equal(image, pixels(1)[:, :, None])
    three = decode(encoded(random_image(1), form), channels=3)
    assert np.array_equal(three, np.repeat(pixels(1)[:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_lossless_colour_is_read_as_it_is(form: str, options: dict[str, bool]) -> None:
    data = encoded(random_image(1, 3), form, **options)
    assert np.array_equal(decode(data, channels=3), pixels(1, 3))
    luma = pixels(1, 3) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode(data, channels=1)[:, :, 0] - luma).max() <= 1


SMOOTH = Image.fromarray(np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8))


@pytest.mark.parametrize("form", ["JPEG", "AVIF"])
def test_lossy_files_are_read_closely(form: str) -> None:
    image = decode(encoded(SMOOTH, form, quality=95), channels=1)
    assert np.abs(image[:, :, 0].astype(int) - np.asarray(SMOOTH)).max() <= 3


def test_heic_is_read_where_its_package_is() -> None:
    pytest.importorskip("pillow_heif", reason="needs slimline[heif]")
    assert READS_HEIF
    image = decode(encoded(SMOOTH.convert("RGB"), "HEIF", quality=95), channels=1)
    assert np.abs(image[:, :, 0].astype(int) - np.asarray(SMOOTH)).max() <= 3
    clear = SMOOTH.convert("RGBA")
    clear.putalpha(0)
    image = decode(encoded(clear, "HEIF", quality=95), channels=1, background=(9, 9, 9))
    assert np.array_equal(image, np.full((64, 48, 1), 9))
    with pytest.raises(BadImage, match="48 x 64 are more than 100"):
        decode(encoded(SMOOTH.convert("RGB"), "HEIF"), channels=1, max_pixels=100)


def test_heic_without_its_package_is_refused_with_what_to_install() -> None:
    if READS_HEIF:
        pytest.skip("pillow-heif is installed")
    with pytest.raises(BadImage, match=r"HEIC, which takes .* install slimline\[heif\]"):
        decode(BAD["photo.heic"][0], channels=1)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_what_is_transparent_stands_on_the_background(form: str) -> None:
    data = files.transparent(form)
    for background in ((255, 255, 255), (0, 0, 0), (10, 200, 30)):
        image = decode(data, channels=3, background=background)
        assert np.abs(image[0, 0].astype(int) - background).max() <= (8 if form == "AVIF" else 0)
    if form in ("PNG", "TIFF"):
        assert np.array_equal(image[1:], pixels(1, 3)[1:])
    white = decode(data, channels=1)
    assert white[0, 0, 0] >= 250
    shallow = random_image(1, 3).point(lambda value: value // 16).convert("RGBA")
    shallow.putpixel((0, 0), (1, 2, 3, 0))
    image = decode(encoded(shallow, "PNG"), channels=3, maximum=15, background=(255, 0, 255))
    assert image[0, 0].tolist() == [255, 0, 255]  # of 255, whatever the file's own scale is


def test_half_transparent_is_half_of_both() -> None:
    half = Image.new("LA", (2, 2), (100, 128))
    image = decode(encoded(half, "PNG"), channels=1, background=(200, 200, 200))
    assert np.abs(image.astype(int) - 150).max() <= 1


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_for_the_right_reason(name: str) -> None:
    data, kind = BAD[name]
    with pytest.raises(BadImage) as caught:
        decode(data, channels=3)
    assert caught.value.kind == kind
    assert str(caught.value).startswith(f"{kind}: ")


def test_reasons_help() -> None:
    for name, text in (
        ("html.jpg", "HTML"),
        ("photo.heic", "HEIC"),
        ("scan.tiff", "a damaged TIFF"),
        ("damaged.avif", "a damaged AVIF"),
        ("deep.png", "set image.maximum, to 65535"),
        ("deep-colour.tiff", "in colour; save it with 8"),
        ("bomb.png", "225000000 are more than 50000000"),
    ):
        with pytest.raises(BadImage, match=text):
            decode(BAD[name][0], channels=1)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_the_header_alone_refuses_a_bomb(form: str) -> None:
    """Files that promise 60,000 x 60,000 pixels are refused before memory is taken for them."""
    data = bytearray(encoded(random_image(1, 3), form))
    if form == "PNG":
        data = bytearray(files.bomb())
    elif form == "JPEG":
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    elif form == "GIF":
        data[6:10] = struct.pack("<HH", 60000, 60000)
    elif form == "WEBP":
        data[26:30] = struct.pack("<HH", 16383, 16383)
    else:
        data[18:26] = struct.pack("<ii", 60000, 60000)
    tracemalloc.start()
    with pytest.raises(BadImage, match="too-many-pixels"):
        decode(bytes(data), channels=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = encoded(random_image(1), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    assert decode(data[:-2] + scan * 9 + data[-2:], channels=1).shape == (HEIGHT, WIDTH, 1)
    with pytest.raises(BadImage, match="corrupt: more than 200 scans"):
        decode(data[:-2] + scan * 300 + data[-2:], channels=1)


def test_the_limits_are_the_callers() -> None:
    data = files.png(1)
    assert decode(data, channels=1, max_pixels=HEIGHT * WIDTH).shape == (HEIGHT, WIDTH, 1)
    with pytest.raises(BadImage, match="10 x 12 are more than 119"):
        decode(data, channels=1, max_pixels=HEIGHT * WIDTH - 1)
    with pytest.raises(BadImage, match="too-large"):
        decode(bytes(2_000_000), channels=1, max_pixels=100)


def test_what_needs_no_guess_is_converted() -> None:
    grey, colour = random_image(1), random_image(1, 3)
    palette = colour.quantize(16)
    opaque = grey.convert("RGBA")
    bilevel = grey.convert("1")
    for image, expected in (
        (palette, palette.convert("RGB")),
        (opaque, grey.convert("RGB")),
        (grey.convert("LA"), grey.convert("RGB")),
        (bilevel, bilevel.convert("RGB")),
    ):
        assert np.array_equal(decode(encoded(image, "PNG"), channels=3), np.asarray(expected))
    unused = colour.convert("RGB").quantize(4).convert("RGB").quantize(8)
    hidden = max(set(range(256)) - set(np.asarray(unused).ravel().tolist()))
    data = encoded(unused, "PNG", transparency=hidden)  # a transparent colour that is nowhere
    assert np.array_equal(decode(data, channels=3), np.asarray(unused.convert("RGB")))


def test_the_first_picture_of_a_phones_jpeg_is_the_one_shown() -> None:
    first, second = random_image(1), random_image(2)
    both = encoded(first, "MPO", save_all=True, append_images=[second])
    assert np.array_equal(decode(both, channels=1), decode(encoded(first, "JPEG"), channels=1))


def test_a_name_says_nothing() -> None:
    """The decoder sees bytes alone; a JPEG is one whatever its file is called."""
    assert decode(encoded(random_image(1), "JPEG"), channels=1).shape == (HEIGHT, WIDTH, 1)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_orientation_is_applied(form: str) -> None:
    quarter = Image.Exif()
    quarter[0x0112] = 6  # to be turned by 90 degrees clockwise
    half = np.zeros((HEIGHT, WIDTH), np.uint8)
    half[: HEIGHT // 2] = 200
    image = Image.fromarray(half).convert("RGB")
    upright = decode(encoded(image, form, exif=quarter), channels=1)
    assert upright.shape == (WIDTH, HEIGHT, 1)
    assert upright[:, -1].min() > 150
    assert upright[:, 0].max() < 50


def test_maximum_scales_deep_grey() -> None:
    expected = np.rint(np.asarray(files.sixteen_bit()) * (255 / 65535))[:, :, None]
    for form in ("PNG", "PPM", "TIFF"):
        image = decode(encoded(files.sixteen_bit(), form), channels=1, maximum=65535)
        assert np.array_equal(image, expected)
    twelve = decode(encoded(files.sixteen_bit(4095), "PNG"), channels=1, maximum=4095)
    assert (twelve.min(), twelve.max()) == (0, 255)
    with pytest.raises(BadImage, match="range: pixels from 0 to 65535; expected 0 to 4095"):
        decode(encoded(files.sixteen_bit(), "PNG"), channels=1, maximum=4095)
    ramp = np.asarray(files.sixteen_bit())
    with pytest.raises(BadImage, match="inverted: 16 bits with 0 for white"):
        decode(files.tiff(ramp, bits=16, meaning=0), channels=1, maximum=65535)
    own = decode(files.tiff(ramp, bits=16), channels=1, maximum=65535)
    assert np.array_equal(own, expected)
    eight = decode(files.png(1), channels=1, maximum=65535)  # has its own scale
    assert np.array_equal(eight[:, :, 0], pixels(1))


def test_maximum_scales_shallow_grey() -> None:
    shallow = Image.fromarray((pixels(1) // 16).astype(np.uint8))
    image = decode(encoded(shallow, "PNG"), channels=1, maximum=15)
    assert np.array_equal(image[:, :, 0], np.asarray(shallow) * 17)
    assert np.array_equal(decode(b"P5 2 1 15\n\x01\x0f", channels=1).ravel(), [17, 255])
    assert np.array_equal(decode(b"P5 2 1 15\n\x01\x0f", channels=1, maximum=15).ravel(), [17, 255])


@pytest.mark.parametrize(
    ("array", "maximum"),
    [
        (np.array([[0, 16], [8, 4]]), 16),
        (np.array([[0.0, 1.0], [0.5, 0.25]], np.float32), 1),
        (np.array([[0, 65535], [32768, 16384]], ">u2"), 65535),
    ],
)
def test_numbers_are_scaled(array: np.ndarray, maximum: int) -> None:
    image = from_array(array, channels=1, maximum=maximum)
    assert image.dtype == np.uint8
    assert image.ravel().tolist() == [0, 255, 128, 64]
    assert np.array_equal(from_array(array, channels=3, maximum=maximum)[:, :, 2], image[:, :, 0])


@pytest.mark.parametrize("value", [-1.0, 17.0, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(BadImage, match="range"):
        from_array(np.array([[0.0, value]]), channels=1, maximum=16)


def test_digests_tell_images_apart_and_nothing_else() -> None:
    same = decode(files.png(1), channels=1)
    assert pixel_digest(same) == pixel_digest(decode(encoded(random_image(1), "BMP"), channels=1))
    assert pixel_digest(same) != pixel_digest(decode(files.png(2), channels=1))
    assert pixel_digest(same) != pixel_digest(same.reshape(WIDTH, HEIGHT, 1))


# fuzzing ----------------------------------------------------------------------------------------

ORIGINALS = {
    form: encoded(random_image(7, 3) if form != "GIF" else random_image(7), form)
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM", "TIFF", "AVIF")
} | {"progressive": encoded(random_image(7, 3), "JPEG", progressive=True)}


def _survives(data: bytes) -> np.ndarray | None:
    """Decode what may be damaged: a sound image or a refusal, and nothing else."""
    try:
        image = decode(data, channels=3, max_pixels=1_000_000)
    except BadImage:
        return None
    assert image.dtype == np.uint8
    assert image.ndim == 3
    return image


@settings(max_examples=300)
@given(
    form=st.sampled_from(sorted(ORIGINALS)),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=8),
)
def test_flipped_bytes_never_crash(form: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(ORIGINALS[form])
    for place, change in flips:
        data[place % len(data)] ^= change
    _survives(bytes(data))


@settings(max_examples=200)
@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_flipped_byte_of_a_png_is_seen(place: int, change: int) -> None:
    """Every byte of a PNG is in a signature, a length or a checked chunk."""
    data = bytearray(ORIGINALS["PNG"])
    data[place % len(data)] ^= change
    image = _survives(bytes(data))
    assert image is None or np.array_equal(image, pixels(7, 3))


@settings(max_examples=300)
@given(form=st.sampled_from(sorted(ORIGINALS)), length=st.integers(0, 10**6))
def test_truncation_is_seen_or_harmless(form: str, length: int) -> None:
    whole = ORIGINALS[form]
    image = _survives(whole[: length % len(whole)])
    assert image is None or np.array_equal(image, decode(whole, channels=3))


@settings(max_examples=100)
@given(data=st.binary(max_size=400), magic=st.sampled_from(sorted(ORIGINALS)))
def test_garbage_behind_a_signature_never_crashes(data: bytes, magic: str) -> None:
    _survives(ORIGINALS[magic][:16] + data)
