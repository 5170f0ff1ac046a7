"""Programs called ``benchmark_model``: scripts that print *reconstructions* of both.

No such binary could be had here, so nothing below is a recording: the lines are written after the
code that prints them, LiteRT at f67457790:

- help: ``Flags::Usage`` of tflite/tools/command_line_flags.cc over ``GetFlags`` of
  tflite/tools/benchmark/benchmark_model.cc, benchmark_tflite_model.cc, tflite/tools/delegates/
  {xnnpack,gpu,nnapi}_delegate_provider.cc, and litert/tools/benchmark_litert_model.h
- what both say while they run: ``BenchmarkModel::Run`` of benchmark_model.cc, with
  ``StatWithPercentiles::OutputToStream`` of tensorflow/core/util/stats_calculator.h
- the end of the one: ``BenchmarkLoggingListener::OnBenchmarkEnd`` of benchmark_model.cc; of the
  other: the same of litert/tools/benchmark_litert_model.h
- delegates: ``Subgraph::ReplaceNodeSubsetsWithDelegateKernels`` of tflite/core/subgraph.cc,
  ``BenchmarkTfLiteModel::Init`` of benchmark_tflite_model.cc
- operators: ``StatsCalculator::HeaderString`` and ``ColumnString`` of stats_calculator.cc, and
  ``LiteRtProfileSummarizer::GetOutputString`` of litert/runtime/profiler_summarizer.cc

An older program's line of statistics, which ends at ``std=``, and its lines without ``INFO`` are as
users have quoted them: tensorflow issues 56301, 58379 and 43541.
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Sequence
from pathlib import Path

COMMON = ("num_runs", "min_secs", "max_secs", "run_delay", "num_threads", "warmup_runs",
          "warmup_min_secs", "graph")  # fmt: skip
TFLITE_FLAGS = (*COMMON, "require_full_delegation", "enable_op_profiling", "result_file_path",
                "use_xnnpack", "use_gpu", "use_nnapi")  # fmt: skip
LITERT_FLAGS = (*COMMON, "use_cpu", "use_gpu", "use_npu", "dispatch_library_path",
                "require_full_delegation", "use_profiler", "result_file_path")  # fmt: skip


def help_text(flags: Sequence[str]) -> str:
    """What a program prints for --help."""
    lines = "".join(f"\t--{flag + '=':<35}\tbool\toptional\twhat it does\n" for flag in flags)
    return f"INFO: STARTING!\nERROR: usage: ./benchmark_model <flags>\nFlags:\n{lines}\n"


def statistics(count: int, median_us: int, *, percentiles: bool = True) -> str:
    """A line of statistics."""
    told = (
        f"count={count} first={median_us + 40} curr={median_us} min={median_us - 1} "
        f"max={median_us + 90} avg={median_us + 2.25} std={7}"
    )
    return told + (
        f" p5={median_us - 1} median={median_us} p95={median_us + 30}" if percentiles else ""
    )


def running(median_us: int, *, mark: str = "INFO: ", percentiles: bool = True) -> str:
    """What both print until the end."""
    return (
        f"{mark}Initialized session in 34.567ms.\n"
        f"{mark}Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate "
        "if exceeding 100 seconds.\n"
        f"{mark}{statistics(9, median_us + 500, percentiles=percentiles)}\n\n"
        f"{mark}Running benchmark for at least 50 iterations and at least 1 seconds but terminate "
        "if exceeding 100 seconds.\n"
        f"{mark}{statistics(52, median_us, percentiles=percentiles)}\n\n"
    )


def tflite_output(
    median_us: int, said: str = "", *, mark: str = "INFO: ", percentiles: bool = True
) -> str:
    """All that TensorFlow Lite's prints of one process."""
    return (
        f"{mark}STARTING!\n{mark}Loaded model model.tflite\n{said}"
        f"{running(median_us, mark=mark, percentiles=percentiles)}"
        f"{mark}Inference timings in us: Init: 34567, First inference: {median_us + 540}, "
        f"Warmup (avg): {median_us + 502.25}, Inference (avg): {median_us + 2.25}\n"
        f"{mark}Note: as the benchmark tool itself affects memory footprint, the following is only "
        "APPROXIMATE to the actual memory footprint of the model at runtime. Take the information "
        "at your discretion.\n"
        f"{mark}Memory footprint delta from the start of the tool (MB): init=2.5 overall=12.75\n"
    )


def litert_output(median_us: int, said: str = "", *, statistics_too: bool = True) -> str:
    """All that LiteRT's prints of one process."""
    line = "INFO: [benchmark_litert_model.h:95] "
    return (
        "INFO: STARTING!\n"
        f"INFO: [benchmark_litert_model.cc:300] Loading model from: model.tflite\n{said}"
        f"{running(median_us) if statistics_too else ''}"
        f"{line}\n========== BENCHMARK RESULTS ==========\n"
        f"{line}Signature name:       serving_default\n"
        f"{line}Model initialization: 34.57 ms\n"
        f"{line}Warmup (first):       {(median_us + 540) / 1000:.2f} ms\n"
        f"{line}Warmup (avg):         {(median_us + 502) / 1000:.2f} ms (9 runs)\n"
        f"{line}Inference (avg):      {(median_us + 2) / 1000:.2f} ms (52 runs)\n"
        f"{line}Inference (min):      {(median_us - 1) / 1000:.2f} ms\n"
        f"{line}Inference (max):      {(median_us + 90) / 1000:.2f} ms\n"
        f"{line}Inference (std):      0.01\n"
        f"{line}Throughput:           12.00 MB/s\n"
        f"{line}\nMemory Usage:\n"
        f"{line}Init footprint:       2.50 MB\n"
        f"{line}Overall footprint:    12.75 MB\n"
        f"{line}======================================\n"
    )


def replaced(by: str, nodes: int, of: int, partitions: int = 1) -> str:
    """What the interpreter says of a delegate."""
    return (
        f"VERBOSE: Replacing {nodes} out of {of} node(s) with delegate ({by}) node, yielding "
        f"{partitions} partitions for subgraph 0 (main).\n"
    )


def applied(by: str, how: str = "completely") -> str:
    """What TensorFlow Lite's says of one."""
    return (
        f"INFO: Explicitly applied {by} delegate, and the model graph will be {how} executed by the "
        "delegate.\n"
    )


ROWS = (("Convolution (NHWC, F32) IGEMM", 2.0), ("CONV_2D", 1.0), ("CONV_2D", 0.5))


def tflite_operators(rows: Sequence[tuple[str, float]] = ROWS) -> str:
    """What TensorFlow Lite's prints with its profiler, of the preparation and of what counts."""

    def table(listed: Sequence[tuple[str, float]]) -> str:
        heads = ("[first]", "[avg ms]", "[%]", "[cdf%]", "[mem KB]", "[times called]")
        head = f"\t{'[node type]':>40}" + "".join(f"\t{each:>9}" for each in heads)
        lines = "".join(
            f"\t{kind:>40}\t{ms:9.3f}\t{ms:9.3f}\t{50:7.3f}%\t{50:7.3f}%\t{0:10.3f}\t{1:9}"
            f"\t[out of {number}]:{number}\n"
            for number, (kind, ms) in enumerate(listed)
        )
        title = f"{'=' * 30} Run Order {'=' * 30}\n"
        top = f"{'=' * 30} Top by Computation Time {'=' * 30}\n"
        return f"{title}{head}\t[Name]\n{lines}\n{top}{head}\t[Name]\n{lines}\n"

    return (
        "INFO: Profiling Info for Benchmark Initialization:\n"
        f"{table([('ModifyGraphWithDelegate', 99.0)])}"
        "INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        f"{table(rows)}"
    )


def litert_operators(rows: Sequence[tuple[str, float]] = ROWS) -> str:
    """What LiteRT's prints with its profiler."""
    heads = "".join(
        f" {each:>10}" for each in ("[start]", "[first]", "[avg ms]", "[%]", "[cdf%]", "[mem KB]")
    )
    lines = "".join(
        f"{'Delegate/' + kind:>60} {0:10.3f} {ms:10.3f} {ms:10.3f} {50:9.3f}% {50:9.3f}% "
        f"{0:10.3f} {52:14d}   [Delegate]:{number}\n"
        for number, (kind, ms) in enumerate(rows)
    )
    return (
        "INFO: [benchmark_litert_model.h:170] \n"
        f"{'=' * 69} Run Order {'=' * 70}\n"
        f"{'[node type]':>60}{heads} {'[times called]':>14}   [Name]\n{lines}\n"
        f"Number of nodes executed: {len(rows)}\n"
    )


def result_file(median_us: int, runs: int = 52) -> bytes:
    """The file of results: its fields as benchmark_result.proto numbers them."""
    latency = {1: median_us + 2.25, 2: median_us - 1, 3: median_us + 90, 4: 7, 5: median_us,
               6: median_us - 1, 7: median_us + 30, 8: 34567, 9: median_us + 540}  # fmt: skip
    floats = b"".join(
        bytes([number << 3 | 5]) + struct.pack("<f", us / 1000) for number, us in latency.items()
    )
    memory = b"\x10" + varint(13056)
    misc = b"\x10" + varint(runs) + b"\x18" + varint(9)
    parts = ((2, floats), (3, memory), (4, misc))
    return b"".join(bytes([number << 3 | 2]) + varint(len(part)) + part for number, part in parts)


def varint(value: int) -> bytes:
    """A number as protocol buffers write it."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))


def write_program(
    path: Path,
    outputs: Sequence[str],
    *,
    flags: Sequence[str] = TFLITE_FLAGS,
    code: int = 0,
    ending: str = "",
    profile: str = "",
    result: bytes = b"",
) -> Path:
    """Write a program that prints one output a process, over and over.

    Args:
        path: Of the file.
        outputs: What each process prints, the first again after the last.
        flags: That its help lists.
        code: What it exits with.
        ending: Lines of shell before that: a signal, for example.
        profile: What it prints where it is asked for the time of operators.
        result: Its file of results; none without.
    """
    cases = "".join(
        f"{number}) printf %s {shlex.quote(output)};;\n" for number, output in enumerate(outputs)
    )
    written = "".join(f"\\{byte:03o}" for byte in result)
    path.write_text(
        f"""\
#!/bin/sh
result= profiled=
for flag; do
    case $flag in
    --help) printf %s {shlex.quote(help_text(flags))}; exit 1;;
    --result_file_path=*) result=${{flag#*=}};;
    --enable_op_profiling=true|--use_profiler=true) profiled=1;;
    esac
done
printf '%s\\n' "$*" >>"$0.asked"
number=0
[ -z "$profiled" ] || {{ printf %s {shlex.quote(profile)}; exit; }}
[ ! -f "$0.count" ] || read -r number <"$0.count"
printf '%s\\n' $(((number + 1) % {len(outputs)})) >"$0.count"
case $number in
{cases}esac
[ -z {shlex.quote(written)} ] || printf {shlex.quote(written)} >"$result"
{ending}
exit {code}
"""
    )
    return path
