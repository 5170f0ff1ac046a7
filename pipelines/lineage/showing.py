"""What a file on this machine shows: decoded as the ingests of a store decoded their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults

_BYTES_MAX = 1 << 30


def pixels_of(path: Path, decodings: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the digests of what an image file shows, one for each way of decoding.

    Args:
        path: The file.
        decodings: Parameters of ingests: ``channels``, ``maximum``, ``max_pixels`` and
            ``background``.

    Returns:
        Nothing where the file is no image that any of them could read.

    Raises:
        UserError: It cannot be read.
    """
    from components.artifacts.framing import Framing
    from components.data.images import BadImage, decode_image, pixel_digest

    with disk_faults(path):
        size = path.stat().st_size
        if size > _BYTES_MAX:
            return ()
        data = path.read_bytes()
    found: dict[str, None] = {}
    for given in decodings:
        try:
            background = Framing(background=str(given.get("background", "white"))).background_rgb
            decoded = decode_image(
                data,
                channels=_number(given, "channels", 3),
                maximum=_number(given, "maximum", 255),
                max_pixels=_number(given, "max_pixels", 50_000_000),
                background=background,
            )
        except (BadImage, ValueError):
            continue
        found[pixel_digest(decoded.pixels)] = None
    return tuple(found)


def _number(given: Mapping[str, object], name: str, default: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int):
        raise UserError(
            f"a record says {name}: {value!r} of an ingest, where a whole number belongs",
            "slimline verify names the damaged record",
        )
    return value
