"""Program: which of the two that are called ``benchmark_model`` this is, and what it is told.

Told apart by the flags that its help lists. A flag that a program does not know is only warned
about, and then it measures something else: so every flag is looked for before it is used.

References, all LiteRT at f67457790:
    tflite/tools/command_line_flags.cc, ``Flags::Usage`` (how a help is printed);
    tflite/tools/benchmark/benchmark_model.cc, ``BenchmarkModel::GetFlags`` (flags of both);
    tflite/tools/benchmark/benchmark_tflite_model.cc and tflite/tools/delegates/*_provider.cc
    (flags of the one); litert/tools/benchmark_litert_model.h, ``GetFlags`` (of the other);
    litert/tools/benchmark_litert_model.cc, ``CreateCompiledModelOptions`` (full delegation together
    with ``use_cpu``, which is on by default, aborts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from components.contract.errors import UserError
from components.devices.remote.settings import AcceleratorKind
from components.devices.timing_plan import TimingPlan

ProgramKind: TypeAlias = Literal["tflite", "litert"]

NAME: Final = "benchmark_model"
RUNS, LEAST_S, WARM_UP_S = 50, 1.0, 0.5
"""Inferences, seconds of them and seconds of warm-up at least: both programs' own defaults."""

_FLAG = re.compile(r"^\s*--([A-Za-z][\w-]*)=", re.MULTILINE)
_COMMON = ("graph", "num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs",
           "warmup_min_secs")  # fmt: skip
_TOLD_APART: Final[dict[ProgramKind, tuple[str, ...]]] = {
    "litert": ("use_cpu", "use_npu"),
    "tflite": ("use_xnnpack", "enable_op_profiling"),
}
RESULT_FILE: Final = "result_file_path"
_PROFILER: Final[dict[ProgramKind, str]] = {
    "tflite": "enable_op_profiling",
    "litert": "use_profiler",
}
_COMPUTES: Final[dict[tuple[ProgramKind, AcceleratorKind], dict[str, str]]] = {
    ("tflite", "cpu"): {"use_xnnpack": "true"},
    ("tflite", "gpu"): {"use_gpu": "true", "require_full_delegation": "true"},
    ("litert", "cpu"): {"use_cpu": "true"},
    ("litert", "gpu"): {"use_gpu": "true", "use_cpu": "false", "require_full_delegation": "true"},
    ("litert", "npu"): {"use_npu": "true", "use_cpu": "false", "require_full_delegation": "true"},
}
_LIBRARIES: Final = "dispatch_library_path"
GET_ONE: Final = (
    "take the benchmark_model of LiteRT, or of TensorFlow Lite: docs/devices.md says where"
)


@dataclass(frozen=True)
class RunnerProgram:
    """A ``benchmark_model`` whose help has been read.

    Attributes:
        kind: Which of the two.
        flags: All that its help lists.
    """

    kind: ProgramKind
    flags: frozenset[str]

    @classmethod
    def of_help(
        cls, text: str, device: str, accelerator: AcceleratorKind, *, profiled: bool
    ) -> RunnerProgram:
        """Return the program that prints a help.

        Args:
            text: What it prints for ``--help``, errors included.
            device: Where it was asked, for sentences.
            accelerator: What is to compute.
            profiled: Whether it is to time operators.

        Raises:
            UserError: It is neither of the two, or lacks a flag that is needed.
        """
        flags = frozenset(_FLAG.findall(text))
        kind: ProgramKind | None = next(
            (each for each, own in _TOLD_APART.items() if flags & {*own}), None
        )
        if kind is None:
            said = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
            raise UserError(
                f"the runner of {device} is no benchmark_model: its --help lists none of the flags "
                f"of one, and says {said[:80]!r}",
                GET_ONE,
            )
        computes = _COMPUTES.get((kind, accelerator))
        if computes is None:
            raise UserError(
                f"the runner of {device} is TensorFlow Lite's, which reaches an NPU through NNAPI "
                "alone, and Android has given that up",
                "take LiteRT's benchmark_model for accelerator: npu, or write accelerator: gpu",
            )
        needed = (*_COMMON, *computes, *((_PROFILER[kind],) if profiled else ()))
        if lacking := [flag for flag in needed if flag not in flags]:
            raise UserError(
                f"the runner of {device}, a benchmark_model ({kind}), has no flag "
                f"--{lacking[0]}: it would be ignored",
                f"take a newer one; or write operators: false for {device}"
                if lacking == [_PROFILER[kind]]
                else "take a newer one, or another accelerator",
            )
        return cls(kind, flags)

    def arguments(
        self,
        model: str,
        result: str,
        plan: TimingPlan,
        accelerator: AcceleratorKind,
        *,
        libraries: str | None = None,
        profiled: bool = False,
    ) -> tuple[str, ...]:
        """Return its command line.

        Args:
            model: Path of the model there.
            result: Path for the results there.
            plan: How it is timed.
            accelerator: What computes.
            libraries: Folder there with the libraries of an NPU.
            profiled: Time the operators: costs time, so such a process tells nothing else.
        """
        given = {
            "graph": model,
            "num_threads": str(plan.threads),
            "num_runs": str(RUNS),
            "min_secs": f"{LEAST_S:g}",
            "max_secs": f"{max(LEAST_S, plan.limit_s / 3):g}",
            "warmup_runs": "1",
            "warmup_min_secs": f"{max(WARM_UP_S, plan.warm_up_ms / 1e3):g}",
            **_COMPUTES[self.kind, accelerator],
        }
        if RESULT_FILE in self.flags:
            given[RESULT_FILE] = result
        if libraries and accelerator == "npu" and _LIBRARIES in self.flags:
            given[_LIBRARIES] = libraries
        if profiled:
            given[_PROFILER[self.kind]] = "true"
        return tuple(f"--{name}={value}" for name, value in given.items())
