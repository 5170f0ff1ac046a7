"""Time one ``.tflite`` in this process: all that runs on a device.

    python probe.py MODEL.tflite --threads 1

This one file needs Python 3.10, numpy and ai-edge-litert, and imports nothing else, so that it can
be copied to any board. It prints one JSON document; what the numbers are worth is judged elsewhere.
A sample is the time from the call of ``invoke`` to its return, input already in place.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import ai_edge_litert  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

SCHEMA = 1
NS_PER_MS = 1e6
KEPT = 250
"""Of the warm-up's runs, so many times are told."""
SLICES, MOST_IN_SLICE = 300, 100_000
"""Of a lasting load, and of the times in one of them: more would be seen in memory."""
REFERENCE_PASSES, REFERENCE_STEPS = 5, 50_000
"""About 20 ms on a processor of 2024."""


def main(argv: list[str]) -> int:
    """Measure as the arguments say and print the document."""
    parser = argparse.ArgumentParser(description="Time one .tflite file; prints JSON.")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1, help="of the runtime, count")
    parser.add_argument("--warm-up-ms", type=float, default=50.0, help="at least this long")
    parser.add_argument("--blocks", type=int, default=8, help="groups of samples, count")
    parser.add_argument("--block-ms", type=float, default=40.0, help="about how long one takes")
    parser.add_argument("--least-runs", type=int, default=3, help="samples a block, at least")
    parser.add_argument(
        "--most-runs", type=int, default=250, help="samples a block, unless they are too short"
    )
    parser.add_argument("--least-ms", type=float, default=10.0, help="of samples in every block")
    parser.add_argument("--seed", type=int, default=0, help="of the input")
    parser.add_argument("--cores", type=core_numbers, help="run on these alone, such as 4,5,6,7")
    parser.add_argument("--for-s", type=float, help="then run without a pause for so long")
    parser.add_argument("--limit-s", type=int, help="end by SIGALRM after so long")
    sys.stdout.write(json.dumps(measure(parser.parse_args(argv))) + "\n")
    return 0


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Load the model, run it and return the document.

    Args:
        options: As the command line gives them.
    """
    if options.limit_s is not None:
        signal.alarm(options.limit_s)
    if options.cores is not None:
        os.sched_setaffinity(0, options.cores)
    reference_ms_before = reference_ms()
    random = np.random.default_rng(options.seed)  # loads modules: before memory is counted
    gc.collect()
    gc.disable()
    resets = reset_peak()
    baseline_bytes = memory_bytes("VmRSS")

    start = time.perf_counter_ns()
    interpreter: Any = Interpreter(model_path=options.model, num_threads=options.threads)
    interpreter.allocate_tensors()
    load_ms = (time.perf_counter_ns() - start) / NS_PER_MS

    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], input_of(random, tensor["shape"], tensor["dtype"]))
    (first_ms,) = sample(interpreter.invoke, 1)
    warmups, first_warmups_ms, usual_ms = warm_up(interpreter.invoke, options.warm_up_ms)
    peak_bytes = memory_bytes("VmHWM")

    runs = int(min(max(options.block_ms / usual_ms, options.least_runs), options.most_runs))
    before = machine_ms()
    blocks: list[dict[str, float | None]] = []
    samples_ms: list[float] = []
    for _ in range(options.blocks):
        block, taken_ms = timed_block(interpreter.invoke, runs, options.least_ms)
        blocks.append(block)
        samples_ms += taken_ms
    after = machine_ms()
    machine = {name: after[name] - before[name] for name in before.keys() & after.keys()}
    lasting = None if options.for_s is None else lasting_load(interpreter.invoke, options.for_s)
    return {
        "schema": SCHEMA,
        "python": ".".join(map(str, sys.version_info[:3])),
        "runtime": {"name": "ai-edge-litert", "version": ai_edge_litert.__version__},
        "threads": options.threads,
        "cores": sorted(os.sched_getaffinity(0)) if options.cores else [],
        "load_ms": load_ms,
        "first_ms": first_ms,
        "warmups": warmups,
        "warmups_ms": first_warmups_ms,
        "samples_ms": samples_ms,
        "blocks": blocks,
        "machine": machine,
        "lasting": lasting,
        "reference_ms_before": reference_ms_before,
        "reference_ms_after": reference_ms(),
        "baseline_memory_bytes": baseline_bytes,
        "peak_memory_bytes": peak_bytes,
        "peak_was_reset": resets,
        "delegate_partitions": partitions_of(interpreter),
        "imported": foreign_modules(),
    }


def core_numbers(text: str) -> list[int]:
    """Return ``4,5,6`` as numbers."""
    return [int(each) for each in text.split(",")]


def reference_ms() -> float:
    """Return what a fixed loop of integers takes: a device that slows itself down shows in it.

    The fastest of several passes: an interruption is no change of clock.
    """
    passes_ms: list[float] = []
    for _ in range(REFERENCE_PASSES):
        start, value = time.perf_counter_ns(), 1
        for _ in range(REFERENCE_STEPS):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        passes_ms.append((time.perf_counter_ns() - start) / NS_PER_MS)
    return min(passes_ms)


def input_of(random: Any, shape: NDArray[np.int32], dtype: Any) -> NDArray[Any]:
    """Return an input that exercises the whole range: times of some kernels depend on values."""
    sizes = [max(1, int(size)) for size in shape]
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, sizes, dtype=dtype, endpoint=True)
    return random.standard_normal(sizes).astype(dtype)


def sample(invoke: Callable[[], None], runs: int) -> list[float]:
    """Return the times of ``runs`` calls in milliseconds."""
    clock = time.perf_counter_ns
    taken_ns: list[int] = []
    for _ in range(runs):
        start = clock()
        invoke()
        taken_ns.append(clock() - start)
    return [each / NS_PER_MS for each in taken_ns]


def warm_up(invoke: Callable[[], None], least_ms: float) -> tuple[int, list[float], float]:
    """Run until caches and clock frequency have settled: 3 runs, and for ``least_ms``.

    Returns:
        How many runs that took, the times of the first ``KEPT`` and the median of the last, in
        milliseconds: the times of all of them would be seen in the peak of memory.
    """
    start = time.perf_counter_ns()
    kept_ms = sample(invoke, 3)
    last_ms, runs = deque(kept_ms, maxlen=KEPT), 3
    while time.perf_counter_ns() - start < least_ms * NS_PER_MS:
        (taken_ms,) = sample(invoke, 1)
        last_ms.append(taken_ms)
        runs += 1
        if runs <= KEPT:
            kept_ms.append(taken_ms)
    return runs, kept_ms, max(sorted(last_ms)[len(last_ms) // 2], 1e-3)


def timed_block(
    invoke: Callable[[], None], runs: int, least_ms: float
) -> tuple[dict[str, float | None], list[float]]:
    """Return the evidence on one block of samples, and the samples.

    Args:
        invoke: Runs the model once.
        runs: How many samples, at least.
        least_ms: How long they have to take in all: of a block that is over sooner, no counter
            says anything, and a single interruption is most of it.
    """
    usage, psi_us = resource.getrusage(resource.RUSAGE_SELF), pressure_us()
    start = time.perf_counter_ns()
    taken_ms = sample(invoke, runs)
    spent_ms = sum(taken_ms)
    while spent_ms < least_ms:
        more_ms = sample(invoke, runs)
        taken_ms += more_ms
        spent_ms += sum(more_ms)
    wall_ms = (time.perf_counter_ns() - start) / NS_PER_MS
    after, psi_after_us = resource.getrusage(resource.RUSAGE_SELF), pressure_us()
    cpu_s = after.ru_utime - usage.ru_utime + after.ru_stime - usage.ru_stime
    return {
        "runs": len(taken_ms),
        "wall_ms": wall_ms,
        "cpu_ms": cpu_s * 1e3,
        "voluntary_switches": after.ru_nvcsw - usage.ru_nvcsw,
        "involuntary_switches": after.ru_nivcsw - usage.ru_nivcsw,
        "psi_cpu_us": None if psi_us is None or psi_after_us is None else psi_after_us - psi_us,
        "frequency_mhz": frequency_mhz(),
    }, taken_ms


def lasting_load(invoke: Callable[[], None], for_s: float) -> dict[str, object]:
    """Run without a pause, and return the median of every slice of time, of which there are 300.

    Args:
        invoke: Runs the model once.
        for_s: How long.
    """
    start_s = now_s = time.monotonic()
    inferences = 0
    ends_s: list[float] = []
    medians_ms: list[float] = []
    while now_s - start_s < for_s:
        slice_end_s, taken_ms = now_s + for_s / SLICES, sample(invoke, 1)
        while time.monotonic() < slice_end_s and len(taken_ms) < MOST_IN_SLICE:
            taken_ms += sample(invoke, 1)
        now_s = time.monotonic()
        inferences += len(taken_ms)
        ends_s.append(now_s - start_s)
        medians_ms.append(sorted(taken_ms)[len(taken_ms) // 2])
    return {
        "start_s": start_s,
        "end_s": now_s,
        "inferences": inferences,
        "ends_s": ends_s,
        "medians_ms": medians_ms,
    }


def pressure_us() -> int | None:
    """Return for how long anything here has waited for a processor; None where nobody may know."""
    try:
        with open("/proc/pressure/cpu") as file:  # noqa: PTH123 pathlib is one more import
            return int(file.readline().rpartition("total=")[2])
    except OSError:  # absent, refused, or refused on reading, as on phones
        return None


def frequency_mhz() -> float | None:
    """Return the highest clock of the processors that this process runs on, or None."""
    clocks: list[float] = []
    for core in os.sched_getaffinity(0):
        try:
            with open(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq") as file:  # noqa: PTH123
                clocks.append(int(file.read()) / 1e3)
        except (OSError, ValueError):
            return None
    return max(clocks)


def machine_ms() -> dict[str, float]:
    """Return what the processors did so far: all work, and what a host took from us.

    Nothing where nobody may know.
    """
    try:
        with open("/proc/stat") as file:  # noqa: PTH123
            ticks = [int(each) for each in file.readline().split()[1:9]]
    except OSError:
        return {}
    tick_ms = 1e3 / os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, interrupts, soft, stolen = ticks
    busy = user + nice + system + interrupts + soft
    return {
        "wall_ms": time.monotonic() * 1e3,
        "own_cpu_ms": time.process_time() * 1e3,
        "busy_ms": busy * tick_ms,
        "stolen_ms": stolen * tick_ms,
    }


def reset_peak() -> bool:
    """Make the kernel forget the peak of memory so far; False where it does not let us."""
    try:
        with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123
            file.write("5")
    except OSError:
        return False
    return True


def memory_bytes(field: str) -> int:
    """Return ``VmRSS`` (resident now) or ``VmHWM`` (its peak)."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel tells no " + field)


def partitions_of(interpreter: Any) -> int | None:
    """Return how many pieces of the model the delegate (XNNPACK) runs; None where it is unknown."""
    if not hasattr(interpreter, "_get_ops_details"):
        return None
    listed = interpreter._get_ops_details()  # noqa: SLF001 there is no public way
    return sum(op["op_name"] == "DELEGATE" for op in listed)


def foreign_modules() -> list[str]:
    """Return what is loaded beside Python's own: the proof that a sample had no company."""
    return sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
