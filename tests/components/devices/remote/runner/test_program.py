"""Program: which of the two it is, what it lacks, and what it is told."""

import pytest

from components.contract.errors import UserError
from components.devices.remote.runner.program import RunnerProgram
from components.devices.timing_plan import TimingPlan
from tests.data.benchmark_programs import LITERT_FLAGS, TFLITE_FLAGS, help_text


def program_of(flags, accelerator="cpu", *, profiled=False):
    return RunnerProgram.of_help(help_text(flags), "s21", accelerator, profiled=profiled)


def without(flags, *left_out):
    return [flag for flag in flags if flag not in left_out]


def told(program, accelerator, **more):
    given = program.arguments("m", "r", TimingPlan(threads=4), accelerator, **more)
    return dict(argument.removeprefix("--").split("=", 1) for argument in given)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (TFLITE_FLAGS, "tflite"),
        (LITERT_FLAGS, "litert"),
        (without(TFLITE_FLAGS, "result_file_path"), "tflite"),
        (without(TFLITE_FLAGS, "enable_op_profiling"), "tflite"),
    ],
)
def test_its_flags_tell_which_it_is(flags, kind):
    assert program_of(flags).kind == kind


@pytest.mark.parametrize(
    ("flags", "accelerator", "profiled", "lacking"),
    [
        (without(TFLITE_FLAGS, "num_threads"), "cpu", False, "num_threads"),
        (without(TFLITE_FLAGS, "use_gpu"), "gpu", False, "use_gpu"),
        (without(TFLITE_FLAGS, "require_full_delegation"), "gpu", False, "require_full_delegation"),
        (without(TFLITE_FLAGS, "enable_op_profiling"), "cpu", True, "enable_op_profiling"),
        (without(LITERT_FLAGS, "use_npu"), "npu", False, "use_npu"),
    ],
)
def test_a_flag_that_it_lacks_and_the_fix(flags, accelerator, profiled, lacking):
    with pytest.raises(UserError) as caught:
        program_of(flags, accelerator, profiled=profiled)
    assert f"--{lacking}" in caught.value.what
    if profiled:
        assert "operators: false" in caught.value.fix
        assert program_of(flags, accelerator, profiled=False)
    else:
        assert "take a newer one" in caught.value.fix
        assert program_of([*flags, lacking], accelerator, profiled=profiled)


def test_another_program_is_none():
    with pytest.raises(UserError, match=r"is no benchmark_model.*usage: ls"):
        RunnerProgram.of_help("usage: ls [--all=yes]\n", "s21", "cpu", profiled=False)


def test_an_npu_through_nnapi_is_refused():
    with pytest.raises(UserError, match="NNAPI") as caught:
        program_of(TFLITE_FLAGS, "npu")
    assert "LiteRT's benchmark_model" in caught.value.fix
    assert program_of(LITERT_FLAGS, "npu").kind == "litert"


def test_what_it_is_told():
    tflite, litert = program_of(TFLITE_FLAGS), program_of(LITERT_FLAGS)
    assert told(tflite, "cpu")["use_xnnpack"] == "true"
    assert told(tflite, "cpu")["num_threads"] == "4"
    gpu = told(tflite, "gpu")
    assert (gpu["use_gpu"], gpu["require_full_delegation"]) == ("true", "true")
    # With both, the program of LiteRT aborts, and its processor is on where nobody turns it off.
    for accelerator in ("gpu", "npu"):
        given = told(litert, accelerator)
        assert (given["use_cpu"], given["require_full_delegation"]) == ("false", "true")
    assert "use_profiler" not in told(litert, "cpu")
    assert told(litert, "cpu", profiled=True)["use_profiler"] == "true"
    assert told(litert, "npu", libraries="/l")["dispatch_library_path"] == "/l"
    assert "dispatch_library_path" not in told(litert, "gpu", libraries="/l")


def test_everything_that_it_is_told_is_a_flag_of_its_help():
    for flags, accelerators in (
        (TFLITE_FLAGS, ("cpu", "gpu")),
        (LITERT_FLAGS, ("cpu", "gpu", "npu")),
    ):
        for accelerator in accelerators:
            program = program_of(flags, accelerator, profiled=True)
            assert told(program, accelerator, libraries="/l", profiled=True).keys() <= {*flags}
