"""Convert: write the ``.tflite`` of a model and prove what is in it."""

from __future__ import annotations

from components.contract.types import LiteModelOut, ModelIn, ReportOut, Seed, Threads

IMAGE = "train"


def convert(
    model: ModelIn,
    lite: LiteModelOut,
    report: ReportOut,
    *,
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Turn a model into a TensorFlow Lite file by its quantization plan.

    The file is read back before it counts. An int8 file in which any operator computes in float is
    refused, except the first and last one where the edges are float32; so is a file whose edges
    have another type than planned, one that lost the zeros of a pruned model, and a float32 file
    that answers something else than the Keras model. The same model gives the same bytes.

    Args:
        model: The Model: its program, its info and its calibration images; nothing else is read.
        lite: ``model.tflite`` and ``lite.json``, which says what to feed it.
        report: ``conversion.json``: operators before and after fusion, those that compute in
            float, what falls off the runtime's delegate on this machine, weights by type, share of
            zeros, parity with Keras on calibration or synthetic images, size raw and gzipped.
        threads: Threads of TensorFlow, count.
        seed: Of the synthetic images.

    Raises:
        UserError: The model holds an operator that the plan's scheme cannot express.

    References:
        arXiv:1712.05877 (integer-arithmetic-only inference).
    """
    from components.ml.lite import conversion
    from components.ml.runtime import configure

    configure(threads, seed)
    conversion.convert(model, lite, report, seed=seed)
