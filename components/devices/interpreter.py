"""Run a LiteModel on this machine: the reference for what an app has to do.

``LiteModel`` is all that stands between the bytes of an image and an answer: normalise, quantise,
run, dequantise. It needs ai-edge-litert and numpy alone, and each step is a line or two, so that
the same can be written in Kotlin, Swift or C++:

    model = LiteModel.open(Path("lite"), threads=1)
    vectors_nd = model.embed(images_nhwc)      # uint8 images of the model's height and width
    same = vectors_nd[0] @ vectors_nd[1] >= threshold

Legend: n images, h rows, w columns, c channels, d numbers of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from components.artifacts.chained import ChainedImages
from components.artifacts.lite_model import LIMITS, MODEL_FILE, TIE, LiteModelInfo
from components.contract.digests import file_sha256
from components.contract.errors import UserError

_TINY = 1e-12
"""Below this length a vector has no direction; it stays what it is."""


@dataclass(frozen=True)
class LiteModel:
    """A ``.tflite`` loaded by the runtime, with its info.

    Attributes:
        info: What to feed it and how to read its answer.
        interpreter: The runtime's handle, tensors allocated. Not for two threads at once.
    """

    info: LiteModelInfo
    interpreter: Any

    @classmethod
    def open(cls, path: Path, threads: int = 1) -> LiteModel:
        """Load the LiteModel in the folder ``path``.

        Args:
            path: A folder with ``lite.json`` and ``model.tflite``.
            threads: Threads of the runtime.

        Raises:
            UserError: There is no LiteModel at ``path``, or the file is not the model's.
            ValueError: The runtime refuses to load the file. It may also end the process.
        """
        info, file = LiteModelInfo.read(path), path / MODEL_FILE
        if not file.is_file() or file_sha256(file) != info.sha256:
            raise UserError(
                f"{file} is not the file that its lite.json describes",
                "run convert again, or fetch the LiteModel again",
            )
        interpreter = Interpreter(model_path=str(file), num_threads=threads)
        interpreter.allocate_tensors()
        return cls(info, interpreter)

    def embed(self, images_nhwc: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return one vector of length 1 an image; the cosine of two is their dot product.

        Args:
            images_nhwc: Images of the model's height, width and channels; values 0 to 255.
        """
        assert self.info.output.kind == "embedding", "this model gives class scores"
        vectors_nd = self.run(images_nhwc)
        lengths_n1 = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
        return (vectors_nd / np.maximum(lengths_n1, _TINY)).astype(np.float32)

    def scores(self, images_nhwc: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return one number a class and image, in the order of the model's classes.

        Args:
            images_nhwc: Images of the model's height, width and channels; values 0 to 255.
        """
        assert self.info.output.kind == "scores", "this model gives embeddings"
        return self.run(images_nhwc)

    def run(self, images_nhwc: NDArray[np.uint8] | ChainedImages) -> NDArray[np.float32]:
        """Return the answer to every image as real numbers, n x d.

        Args:
            images_nhwc: Images of the model's height, width and channels; values 0 to 255.
        """
        assert images_nhwc.dtype == np.uint8, "images are uint8, 0 to 255"
        values = np.array([self.info.input.value(pixel) for pixel in range(256)])
        table = values.astype(self.info.input.dtype)
        return self._answers(table[image_hwc] for image_hwc in images_nhwc)

    def run_normalised(self, images_nhwc: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answer to images that are normalised already, n x d.

        Args:
            images_nhwc: ``(pixel - mean) / scale``, as calibration data has them.
        """
        return self._answers(self._quantised(image_hwc) for image_hwc in images_nhwc)

    def _quantised(self, image_hwc: NDArray[np.float32]) -> NDArray[Any]:
        given = self.info.input
        if given.quantization is None:
            return image_hwc
        low, high = LIMITS[given.dtype]
        levels = image_hwc / given.quantization.scale + given.quantization.zero_point
        return np.clip(np.floor(levels + 0.5 + TIE), low, high).astype(given.dtype)

    def _answers(self, tensors_hwc: Iterator[NDArray[Any]]) -> NDArray[np.float32]:
        source = self.interpreter.get_input_details()[0]["index"]
        target = self.interpreter.get_output_details()[0]["index"]
        found: list[NDArray[np.float32]] = []
        for tensor_hwc in tensors_hwc:
            self.interpreter.set_tensor(source, tensor_hwc[np.newaxis])
            self.interpreter.invoke()
            found.append(self._real(self.interpreter.get_tensor(target)[0]))
        size = self.info.output.size
        return np.stack(found) if found else np.empty((0, size), np.float32)

    def _real(self, answer_d: NDArray[Any]) -> NDArray[np.float32]:
        affine = self.info.output.quantization
        if affine is None:
            return answer_d.astype(np.float32)
        return (affine.scale * (answer_d.astype(np.float32) - affine.zero_point)).astype(np.float32)
