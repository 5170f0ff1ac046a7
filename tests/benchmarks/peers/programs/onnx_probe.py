"""Run an ONNX file as the peers' other files are run: answers to images, or times of one inference.

    python onnx_probe.py MODEL.onnx --images IMAGES.npy --answers ANSWERS.npy --mean 0 --scale 1
    python onnx_probe.py MODEL.onnx --probe PROBE.py

``--probe`` names slimline's own ``components/devices/probe.py``, whose functions do the timing, so
that samples, blocks and evidence are the same; it prints the same document.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


def session_of(path: str, threads: int) -> onnxruntime.InferenceSession:
    """Return the file, loaded for so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def answer(options: argparse.Namespace) -> None:
    """Write what the file answers to every image: float32, n x d."""
    session = session_of(options.model, options.threads)
    name = session.get_inputs()[0].name
    images_nhwc = np.load(options.images, mmap_mode="r")
    found = [
        session.run(
            None,
            {name: (image[None].astype(np.float32) - options.mean) / np.float32(options.scale)},
        )[0][0]
        for image in images_nhwc
    ]
    np.save(options.answers, np.stack(found).astype(np.float32))


def timed(options: argparse.Namespace) -> dict[str, object]:
    """Return the document that ``probe.py`` prints, of this file and ONNX Runtime."""
    spec = importlib.util.spec_from_file_location("probe", options.probe)
    assert spec
    assert spec.loader
    probe: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(probe)
    random = np.random.default_rng(options.seed)
    gc.collect()
    gc.disable()
    resets = probe.reset_peak()
    baseline_bytes = probe.memory_bytes("VmRSS")
    start = time.perf_counter_ns()
    session = session_of(options.model, options.threads)
    load_ms = (time.perf_counter_ns() - start) / probe.NS_PER_MS
    given = session.get_inputs()[0]
    tensor = probe.input_of(random, given.shape, np.float32)

    def invoke() -> None:
        session.run(None, {given.name: tensor})

    (first_ms,) = probe.sample(invoke, 1)
    warmups, warmups_ms, usual_ms = probe.warm_up(invoke, options.warm_up_ms)
    peak_bytes = probe.memory_bytes("VmHWM")
    runs = int(min(max(options.block_ms / usual_ms, 3), 250))
    before = probe.machine_ms()
    blocks: list[object] = []
    samples_ms: list[float] = []
    for _ in range(options.blocks):
        block, taken_ms = probe.timed_block(invoke, runs, options.least_ms)
        blocks.append(block)
        samples_ms += taken_ms
    return {
        "load_ms": load_ms,
        "first_ms": first_ms,
        "warmups": warmups,
        "warmups_ms": warmups_ms,
        "samples_ms": samples_ms,
        "blocks": blocks,
        "machine": {name: after - before[name] for name, after in probe.machine_ms().items()},
        "baseline_memory_bytes": baseline_bytes,
        "peak_memory_bytes": peak_bytes,
        "peak_was_reset": resets,
        "delegate_partitions": None,
        "imported": probe.foreign_modules(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def main() -> None:
    """Answer, or time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--mean", type=float, default=127.5)
    parser.add_argument("--scale", type=float, default=127.5)
    parser.add_argument("--probe", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--block-ms", type=float, default=40.0)
    parser.add_argument("--warm-up-ms", type=float, default=50.0)
    parser.add_argument("--least-ms", type=float, default=10.0)
    options = parser.parse_args()
    if options.probe:
        sys.stdout.write(json.dumps(timed(options)) + "\n")
    else:
        answer(options)


if __name__ == "__main__":
    main()
