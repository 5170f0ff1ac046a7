"""Operator probe: what runs in a process of its own to time a model's operators one by one.

Needs Python and ``ai-edge-litert`` alone. The interpreter of that package has no profiler; LiteRT's
C interface has one, and the library of the package holds it. The options are texts, which each
part of the runtime reads under its own name.

References:
    LiteRT, litert/c/litert_profiler.h, litert_profiler_event.h (events and their kinds),
    litert/c/options/litert_runtime_options.cc, litert_cpu_options.cc (names and texts of options).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

CPU = 1
OPERATOR, OF_DELEGATE = 2, 8
"""Kinds of events: an operator of the interpreter, and one inside of a delegate such as XNNPACK."""
FEWEST, MOST = 10, 500
"""Inferences; each has as many events as the model has operators."""
_DYNAMIC_AXIS, _RANK_BITS, _AXES_AT, _TYPE_WORDS = -1, 127, 2, 18

Handle = ctypes.c_void_p
_Release = ctypes.CFUNCTYPE(None, Handle)


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("total", "in_use", "private")]


class _Event(ctypes.Structure):
    _fields_ = [
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_before", _Memory),
        ("memory_after", _Memory),
        ("index", ctypes.c_uint64),
        ("graph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    ]


class Profiled:
    """A model that is compiled with a profiler in it.

    Args:
        path: The ``.tflite`` file.
        threads: Of the runtime.

    Raises:
        RuntimeError: The runtime refuses something; says which call.
    """

    def __init__(self, path: str, threads: int) -> None:
        found = find_spec("ai_edge_litert")
        assert found is not None
        assert found.submodule_search_locations
        folder = found.submodule_search_locations[0]
        self._library = ctypes.CDLL(os.path.join(folder, "libLiteRt.so"))  # noqa: PTH118 one import less
        self._kept: list[Any] = []  # texts and buffers that the runtime goes on using
        environment, model, self._compiled = Handle(), Handle(), Handle()
        self._call("LiteRtCreateEnvironment", 0, None, ctypes.byref(environment))
        self._call("LiteRtCreateModelFromFile", environment, path.encode(), ctypes.byref(model))
        options = self._options(threads)
        self._call(
            "LiteRtCreateCompiledModel", environment, model, options, ctypes.byref(self._compiled)
        )
        signature = Handle()
        self._call("LiteRtGetModelSignature", model, ctypes.c_size_t(0), ctypes.byref(signature))
        self._given = self._buffers("Input", environment, signature)
        self._answers = self._buffers("Output", environment, signature)
        self._profiler = Handle()
        self._call("LiteRtCompiledModelGetProfiler", self._compiled, ctypes.byref(self._profiler))

    def run(self) -> None:
        """Run the model once, on whatever its inputs hold."""
        self._call(
            "LiteRtRunCompiledModel",
            self._compiled,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._given)),
            self._given,
            ctypes.c_size_t(len(self._answers)),
            self._answers,
        )

    def start(self) -> None:
        """Begin to record."""
        self._call("LiteRtStartProfiler", self._profiler)

    def operators(self) -> list[tuple[str, int, int]]:
        """Return kind, place in the graph and microseconds of everything that ran since then."""
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        return [
            (event.tag.decode(errors="replace"), event.index, event.elapsed_us)
            for event in events
            if event.kind in (OPERATOR, OF_DELEGATE)
        ]

    def _options(self, threads: int) -> Handle:
        options = Handle()
        self._call("LiteRtCreateOptions", ctypes.byref(options))
        self._call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        texts = (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", b"num_threads = %d\n" % threads),
        )
        for name, text in texts:
            content, release, part = ctypes.create_string_buffer(text), _Release(_nothing), Handle()
            self._kept += [content, release]
            self._call(
                "LiteRtCreateOpaqueOptions",
                ctypes.c_char_p(name),
                ctypes.cast(content, Handle),
                release,
                ctypes.byref(part),
            )
            self._call("LiteRtAddOpaqueOptions", options, part)
        return options

    def _buffers(self, side: str, environment: Handle, signature: Handle) -> ctypes.Array[Handle]:
        """Return a buffer for each tensor of one side."""
        count = ctypes.c_size_t()
        self._call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(count))
        buffers = (Handle * count.value)()
        for index in range(count.value):
            number, tensor, need, buffer = ctypes.c_size_t(index), Handle(), Handle(), Handle()
            kind = (ctypes.c_int32 * _TYPE_WORDS)()
            self._call(
                f"LiteRtGetSignature{side}TensorByIndex", signature, number, ctypes.byref(tensor)
            )
            self._call("LiteRtGetRankedTensorType", tensor, kind)
            for axis in range(_AXES_AT, _AXES_AT + (kind[1] & _RANK_BITS)):
                if kind[axis] == _DYNAMIC_AXIS:
                    kind[axis] = 1
            self._call(
                f"LiteRtGetCompiledModel{side}BufferRequirements",
                self._compiled,
                ctypes.c_size_t(0),
                number,
                ctypes.byref(need),
            )
            self._call(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                environment,
                kind,
                need,
                ctypes.byref(buffer),
            )
            buffers[index] = buffer
        return buffers

    def _call(self, name: str, *arguments: Any) -> None:
        call: Callable[..., int] = getattr(self._library, name)
        if status := call(*arguments):
            raise RuntimeError(f"{name} of LiteRT answers {status}")


def _nothing(payload: object) -> None:
    """Take back a text that Python keeps."""


def profiled(path: str, threads: int, for_s: float) -> dict[str, object]:
    """Return what the operators of a model take.

    Args:
        path: The file.
        threads: Of the runtime.
        for_s: About how long it runs.

    Returns:
        ``runs``, and ``operators``: ``kind`` and ``ms`` of each, in the order in which they ran.
    """
    model = Profiled(path, threads)
    start = time.monotonic()
    runs = 0
    while runs < FEWEST or (time.monotonic() - start < for_s / 2 and runs < MOST):
        model.run()
        runs += 1
    model.start()
    for _ in range(runs):
        model.run()
    taken: dict[tuple[str, int], list[int]] = {}
    for kind, index, elapsed_us in model.operators():
        taken.setdefault((kind, index), []).append(elapsed_us)
    # The profiler may have had no room for all of them.
    recorded = min((len(each) for each in taken.values()), default=0)
    operators = [
        {"kind": kind, "ms": sum(each) / 1e3 / len(each)} for (kind, _), each in taken.items()
    ]
    return {"runs": recorded, "operators": operators}


def main(arguments: Sequence[str]) -> int:
    """Profile a model and print the answer as the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--for-s", type=float, default=0.25)
    given = parser.parse_args(arguments)
    print(json.dumps(profiled(given.model, given.threads, given.for_s)))  # noqa: T201 that is its answer
    return 0


if __name__ == "__main__":
    # The runtime's own threads may still run; nothing here is worth an orderly end.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
