"""Which tools stand beside slimline, what each is installed from, and what runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
KERAS = ("tensorflow==2.21.0", "tf_keras==2.21.0")
ONNX = (
    *KERAS, "tf2onnx==1.17.0", "onnx==1.23.2", "onnxruntime==1.32.0",
    # For the functions that time LiteRT's files: their module imports it.
    "ai-edge-litert==2.3.0",
)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """One tool.

    Attributes:
        name: As ``--only`` takes it.
        program: Its file in ``programs/``.
        requirements: What pip installs into its environment.
        told: Packages whose versions the page names.
    """

    name: str
    program: str
    requirements: tuple[str, ...]
    told: tuple[str, ...]

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that decide what it does: its program and what that imports."""
        shared = ("given.py", "onnx_files.py", "onnx_probe.py")
        return tuple(PROGRAMS / name for name in (self.program, *shared))


PEERS = (
    Peer("tflite-converter", "tflite_converter.py", KERAS, ("tensorflow",)),
    Peer(
        "litert-quantizer", "litert_static.py",
        ("litert-quantizer==0.11.0",), ("litert-quantizer",),
    ),
    Peer(
        "tfmot-qat", "tfmot_qat.py",
        (*KERAS, "tensorflow-model-optimization==0.8.1"), ("tensorflow-model-optimization",),
    ),
    Peer(
        "tfmot-pruning", "tfmot_pruning.py",
        (*KERAS, "tensorflow-model-optimization==0.8.1"), ("tensorflow-model-optimization",),
    ),
    Peer(
        "onnxruntime", "onnxruntime_static.py",
        (*ONNX, "sympy==1.14.0"), ("onnxruntime", "tf2onnx"),
    ),
    Peer("nncf", "nncf_static.py", (*ONNX, "nncf==3.4.0"), ("nncf", "tf2onnx")),
)  # fmt: skip
"""In the order in which they run and stand in the table."""
