"""Run one ``.tflite`` in TensorFlow Lite Micro, in this process, which may die of it.

    python micro_probe.py MODEL.tflite INPUTS.npy OUTPUTS.npy
    python micro_probe.py MODEL.tflite --operators
    python micro_probe.py MODEL.tflite --unshared COPY.tflite

It needs Python, numpy and tflite-micro, and imports nothing else. The first form writes the answers
and prints one JSON document; the second prints the operators of the model and those of them that
the interpreter does not have; the third writes the model so that no two vectors share a place.
TensorFlow Lite Micro tells what is wrong on standard error alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import Any, cast

import flatbuffers  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from tflite_micro.python.tflite_micro import (  # pyright: ignore[reportMissingTypeStubs]
    runtime as _runtime,
)
from tflite_micro.tensorflow.lite.micro.python import (  # pyright: ignore[reportMissingTypeStubs]
    schema_py_generated as _schema,
)

runtime = cast("Any", _runtime)
schema = cast("Any", _schema)

ALIGNMENT = 16
"""Of an arena, bytes: it is as long as a multiple of it."""
LARGEST = 1 << 30
"""More memory than any microcontroller has; a model that needs more is not tried further."""
LACKING = "Didn't find op for builtin opcode '"
_RECORDED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


def main(argv: list[str]) -> int:
    """Do what the arguments say and print the document."""
    parser = argparse.ArgumentParser(description="Run one .tflite file in TensorFlow Lite Micro.")
    parser.add_argument("model")
    parser.add_argument("inputs", nargs="?", help="n tensors of the model's input, .npy")
    parser.add_argument("outputs", nargs="?", help="where n answers go, .npy")
    parser.add_argument("--operators", action="store_true", help="print them")
    parser.add_argument("--unshared", help="where to write the model anew, .tflite")
    given = parser.parse_args(argv)
    with open(given.model, "rb") as file:  # noqa: PTH123 pathlib is one more import
        content = file.read()
    if given.unshared:
        with open(given.unshared, "wb") as file:  # noqa: PTH123
            file.write(packed(model_of(content)))
        return 0
    if given.operators:
        told = {"operators": operators(content), "lacking": lacking(content)}
        sys.stdout.write(json.dumps(told) + "\n")
        return 0
    inputs = np.load(given.inputs)
    interpreter: Any = loaded(content, enough(content))
    answers: list[Any] = []
    for each in inputs:
        interpreter.set_input(each[np.newaxis], 0)
        interpreter.invoke()
        answers.append(interpreter.get_output(0)[0])
    recorded = dict(_RECORDED.findall(heard(interpreter.print_allocations)))
    np.save(given.outputs, np.stack(answers))
    document = {
        "arena_bytes": smallest(content, inputs[0], int(recorded["total"])),
        "activation_bytes": int(recorded["head"]),
        "persistent_bytes": int(recorded["tail"]),
    }
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


def loaded(content: bytes, arena_bytes: int) -> Any:
    """Return an interpreter of a model; raises RuntimeError where it refuses the model."""
    return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)


def enough(content: bytes) -> int:
    """Return an arena that a model fits into, in bytes, at most 16 times too large.

    Raises:
        RuntimeError: None is large enough, or the model is refused.
    """
    arena_bytes = 1 << 16
    while arena_bytes < LARGEST:
        try:
            heard(lambda size=arena_bytes: loaded(content, size))
        except RuntimeError:
            arena_bytes *= 16
        else:
            return arena_bytes
    loaded(content, LARGEST)
    return LARGEST


def smallest(content: bytes, tensor: Any, recorded_bytes: int) -> int:
    """Return the smallest arena that a model loads and runs in, in bytes.

    What the interpreter records as used is not enough for some models: while it plans, it holds
    more than it keeps.

    Args:
        content: The model.
        tensor: One input.
        recorded_bytes: What it recorded.
    """

    def fits(arena_bytes: int) -> bool:
        try:
            interpreter = loaded(content, arena_bytes)
            interpreter.set_input(tensor[np.newaxis], 0)
            interpreter.invoke()
        except RuntimeError:
            return False
        return True

    def search() -> int:
        low = recorded_bytes // ALIGNMENT // 2
        high = -(-recorded_bytes // ALIGNMENT)
        while not fits(high * ALIGNMENT):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle * ALIGNMENT) else (middle, high)
        return high * ALIGNMENT

    found: list[int] = []
    heard(lambda: found.append(search()))
    return found[0]


def heard(speak: Callable[[], object]) -> str:
    """Return what ``speak`` writes on standard error, by whatever library."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            speak()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors="replace")


def model_of(content: bytes) -> Any:
    """Return a model as objects that can be changed."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def packed(model: Any) -> bytes:
    """Return the file of a model; every vector has a place of its own."""
    builder: Any = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operators(content: bytes) -> list[str]:
    """Return the names of a model's operators, each once, in the order of their first use."""
    kinds = cast("type[Any]", schema.BuiltinOperator)
    names = {value: name for name, value in vars(kinds).items() if isinstance(value, int)}
    model = model_of(content)
    used = (one.opcodeIndex for graph in model.subgraphs for one in graph.operators or ())
    found: list[str] = []
    for index in dict.fromkeys(used):
        code = model.operatorCodes[index]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode.decode() if code.customCode else ""
        found.append(custom or names.get(builtin, str(builtin)))
    return found


def lacking(content: bytes) -> list[str]:
    """Return the names of a model's operators that the interpreter does not have.

    It names the first that it misses and stops, so that each is asked for by itself.
    """
    model = model_of(content)
    whole: list[list[Any]] = [graph.operators or [] for graph in model.subgraphs]
    found: list[str] = []
    for place, listed in enumerate(whole):
        for operator in {one.opcodeIndex: one for one in listed}.values():
            for graph in model.subgraphs:
                graph.operators = []
            model.subgraphs[place].operators = [operator]
            told = heard(lambda one=packed(model): refused(one))
            name = told.partition(LACKING)[2].partition("'")[0]
            if name and name not in found:
                found.append(name)
    return found


def refused(content: bytes) -> None:
    """Load a model, which says on standard error what is wrong with it."""
    with contextlib.suppress(RuntimeError, ValueError):
        loaded(content, 1 << 20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
