"""One image of a Dataset, read from the store without what lies beside it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from components.contract.tree import Tree
from pipelines.stores.layout import blob_key
from pipelines.stores.store import KeyMissing, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEADER_BYTES = 256
_SIDE_MAX = 4096


def read_image(store: Store, tree: Tree, split: str, place: int) -> NDArray[np.uint8] | None:
    """Return one image; None where its bytes are gone, or are no images.

    A few bytes are read of what may be gigabytes, so they are not held against their digest:
    ``slimline verify`` does that.

    Args:
        store: Where the Dataset is.
        tree: Of the Dataset.
        split: Which split.
        place: Row of the image in it.

    Returns:
        uint8, height x width x channels.
    """
    import numpy as np

    shards = sorted(
        (entry.path, entry.sha256)
        for entry in tree.entries
        if entry.path.startswith(f"{split}/images") and entry.path.endswith(".npy")
    )
    if not shards:
        return None
    try:
        (rows, *_), _ = _header(store, shards[0][1])
        shard, row = divmod(place, rows)
        if shard >= len(shards):
            return None
        shape, start = _header(store, shards[shard][1])
        if row >= shape[0]:
            return None
        size = int(np.prod(shape[1:]))
        data = store.get(blob_key(shards[shard][1]), start + row * size, start + (row + 1) * size)
        return np.frombuffer(data, np.uint8).reshape(shape[1:])
    except (KeyMissing, ValueError):
        return None


def _header(store: Store, sha: str) -> tuple[tuple[int, ...], int]:
    """Return the shape of an array of images, and where its numbers begin.

    Raises:
        ValueError: It is none.
        KeyMissing: It is gone.
    """
    import numpy as np

    head = io.BytesIO(store.get(blob_key(sha), 0, _HEADER_BYTES))
    version = np.lib.format.read_magic(head)
    if version != (1, 0):
        raise ValueError(f"version {version} of numpy's format")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(head)
    known = len(shape) == 4 and shape[3] in (1, 3) and shape[0] > 0 and not fortran
    if not known or kind != np.uint8 or not all(0 < side <= _SIDE_MAX for side in shape[1:3]):
        raise ValueError(f"no images: {shape} of {kind}")
    return shape, head.tell()
