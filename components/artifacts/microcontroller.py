"""What is known of a model on a microcontroller, and the C files that a firmware takes it from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from components.artifacts.json_file import JsonFile

HEADER, SOURCE = "model_data.h", "model_data.c"
_BYTES_A_LINE = 16


@dataclass(frozen=True)
class MicroParity:
    """How the answers of TensorFlow Lite Micro differ from those of LiteRT.

    Attributes:
        images: How many were compared; synthetic ones.
        max_abs: The largest difference of any number of an answer.
        max_levels: The same in steps of an integer output; None where the output is float32.
        same_class: Share of images on which both give the same class the highest score; None of
            embeddings.
    """

    images: int
    max_abs: float
    max_levels: int | None
    same_class: float | None


@dataclass(frozen=True)
class MicroReport(JsonFile):
    """The content of ``microcontroller.json``.

    Attributes:
        model_sha256: Of the file that convert wrote.
        arena_bytes: The smallest arena that it loads and runs in; None where it is refused.
        activation_bytes: What of it holds tensors.
        persistent_bytes: What of it is taken for good.
        flash_bytes: Of the model as the firmware holds it; the interpreter comes to that.
        operators: Names, in the order of their first use: what the firmware registers.
        lacking: Those that TensorFlow Lite Micro does not have.
        unshared: Why the firmware holds the file as it is without repack; empty where it holds the
            file that convert wrote.
        parity: None where it is refused.
        refused: Why it does not run; empty where it does.
        runtime: Version of the package.
    """

    FILE: ClassVar[str] = "microcontroller.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "report of a microcontroller"
    FIX_ABSENT: ClassVar[str] = "give the report of benchmark_microcontroller"
    FIX_VERSION: ClassVar[str] = "run benchmark_microcontroller again"

    model_sha256: str
    arena_bytes: int | None
    activation_bytes: int | None
    persistent_bytes: int | None
    flash_bytes: int | None
    operators: tuple[str, ...]
    lacking: tuple[str, ...]
    unshared: str
    parity: MicroParity | None
    refused: str
    runtime: str


def write_firmware(
    folder: Path, content: bytes, sha256: str, arena_bytes: int, operators: Sequence[str]
) -> None:
    """Write a model as a C array with its header; the same model gives the same bytes.

    Args:
        folder: Where to write ``model_data.h`` and ``model_data.c``; made if it is not there.
        content: The ``.tflite``.
        sha256: Of the file that convert wrote.
        arena_bytes: What to allocate for it, at least.
        operators: What to register.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEADER).write_text(
        f"// A model for TensorFlow Lite Micro: sha256 {sha256}\n"
        "//\n"
        "// The arena is what it takes on a 64-bit machine with reference kernels.\n"
        f"// Operators to register: {', '.join(operators)}\n"
        "#ifndef MODEL_DATA_H_\n#define MODEL_DATA_H_\n\n"
        f"#define MODEL_DATA_BYTES {len(content)}\n"
        f"#define MODEL_ARENA_BYTES {arena_bytes}\n"
        f"#define MODEL_OPERATORS {len(operators)}\n\n"
        '#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
        "extern const unsigned char model_data[MODEL_DATA_BYTES];\n\n"
        "#ifdef __cplusplus\n}\n#endif\n\n#endif  // MODEL_DATA_H_\n"
    )
    with (folder / SOURCE).open("w") as file:
        file.write(f'#include "{HEADER}"\n\n')
        file.write("__attribute__((aligned(16))) const unsigned char model_data[] = {\n")
        file.writelines(_lines(content))
        file.write("};\n")


def _lines(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), _BYTES_A_LINE):
        part = content[start : start + _BYTES_A_LINE]
        yield "    " + " ".join(f"0x{byte:02x}," for byte in part) + "\n"
