"""Sparse layout: a float16 file that keeps the zeros of a pruned model out, where that is smaller.

The runtime fills the zeros up when it loads the file (operators DENSIFY and DEQUANTIZE), and then
computes what it does of the dense one. XNNPACK has kernels that skip zeros, for 1x1 convolutions of
which more than two thirds are 0; whether they help on a device, its benchmark says.

Shapes: d numbers of the output, n images.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts.measurement import Crash
from components.devices.isolated import IsolatedOutputs
from components.ml.lite.downloads import gzip_bytes
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.writing import sparse_float16

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SparseChoice:
    """Which of two files is shipped.

    Attributes:
        content: Its bytes, before they are shrunk.
        written: Whether it is the sparse one.
        why: The reason, a clause.
        bytes: Of the dense and of the sparse one the length as it would be shipped, raw and after
            gzip.
    """

    content: bytes
    written: bool
    why: str
    bytes: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, object]:
        """Return what the report says of it."""
        return {"written": self.written, "why": self.why, "bytes": self.bytes}


def smaller(
    path: Path,
    dense: bytes,
    *,
    shrink: Callable[[bytes], bytes],
    answers: Callable[[bytes], IsolatedOutputs | Crash],
) -> SparseChoice:
    """Return the sparse file where it is smaller and answers the same, else the dense one.

    Args:
        path: The Model, whose plan is of scheme float16.
        dense: Its file without.
        shrink: What is done to a file before it is shipped.
        answers: Runs a file.

    Raises:
        UserError: The converter refuses an operator of the model.
    """
    sparse = sparse_float16(path)
    shipped = {"dense": shrink(dense), "sparse": shrink(sparse)}
    sizes = {
        name: {"raw": len(content), "gzip": gzip_bytes(content)}
        for name, content in shipped.items()
    }
    won = 1 - sizes["sparse"]["raw"] / sizes["dense"]["raw"]
    if won <= 0:
        share = LiteFile.parse(dense).sparsity
        why = f"the sparse file is not smaller: {share:.0%} of the weights are 0"
    elif difference := _difference(*(answers(content) for content in shipped.values())):
        why = difference
    else:
        why = f"the sparse file is {won:.0%} smaller, and every answer is the same"
        return SparseChoice(sparse, written=True, why=why, bytes=sizes)
    _LOG.warning("sparse: the dense file is written: %s", why)
    return SparseChoice(dense, written=False, why=why, bytes=sizes)


def _difference(dense: IsolatedOutputs | Crash, sparse: IsolatedOutputs | Crash) -> str | None:
    """Return what of the answers of the two is not the same, or None."""
    if isinstance(sparse, Crash) or isinstance(dense, Crash):
        died = sparse if isinstance(sparse, Crash) else dense
        assert isinstance(died, Crash)
        return f"the runtime of this machine does not run it: {died.cause}"
    gap = float(np.abs(dense.outputs_nd - sparse.outputs_nd).max())
    same = np.array_equal(dense.outputs_nd, sparse.outputs_nd)
    return None if same else f"the sparse file answers otherwise, by up to {gap:.2g}"
