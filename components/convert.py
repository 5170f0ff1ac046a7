"""Convert: write the ``.tflite`` of a model and prove what is in it."""

from __future__ import annotations

from components.contract.types import LiteModelOut, ModelIn, ReportOut, Seed, Threads

IMAGE = "train"


def convert(
    model: ModelIn,
    lite: LiteModelOut,
    report: ReportOut,
    *,
    repack: bool = True,
    metadata: bool = False,
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Turn a model into a TensorFlow Lite file by its quantization plan.

    The file is read back before it counts. An int8 file in which any operator computes in float is
    refused, except the first and last one where the edges are float32; so is a file whose edges
    have another type than planned, one that lost the zeros of a pruned model, and a float32 file
    that answers something else than the Keras model. The same model gives the same bytes.

    What the converter writes is repacked without loss: equal vectors share one place, and names of
    tensors go. The answers keep every bit, and the file is 2 to 34 % smaller.

    Args:
        model: The Model: its program, its info, its samples and its calibration images; nothing
            else is read.
        lite: ``model.tflite``; ``lite.json``, which says what to feed it; and ``making.json``: how
            it came about and what is in it, which pages draw.
        report: ``conversion.json``: operators before and after fusion, what was folded into what,
            those that compute in float, what falls off the runtime's delegate on this machine and,
            not verified, off a phone's GPU; weights by type, share of zeros, what the bytes are
            there for, parity with Keras on training images of the model's own, size raw, gzipped
            and under brotli; with ``sparse`` these sizes of both files, and which was written.
        repack: Repack the file. ``false`` where a runtime of your own does not load such a file.
        metadata: Write normalization and labels into the file, so that MediaPipe's tasks take it:
            about 700 bytes and the labels. Apps that read ``manifest.json`` do not need it.
            MediaPipe takes images of 3 channels, and uint8 or float32 at both ends.
        threads: Threads of TensorFlow, count.
        seed: Of the synthetic images.

    Raises:
        UserError: The model holds an operator that the plan's scheme cannot express, or metadata
            is asked for and MediaPipe does not take such a model.

    References:
        arXiv:1712.05877 (integer-arithmetic-only inference).
    """
    from components.ml.lite import conversion
    from components.ml.runtime import configure

    configure(threads, seed)
    conversion.convert(model, lite, report, repack=repack, metadata=metadata, seed=seed)
