"""Delegation: who computed, out of a program's own words."""

import pytest

from components.devices.remote.runner.delegation import computed_in
from tests.data.benchmark_programs import applied, replaced

XNNPACK, GPU = "TfLiteXNNPackDelegate", "TfLiteGpuDelegateV2"

UNUSED = (
    "INFO: Though GPU delegate is explicitly applied, the model graph will not be executed by the "
    "delegate.\n"
)


@pytest.mark.parametrize(
    ("text", "got", "whole"),
    [
        (replaced(GPU, 31, 31), "gpu", True),
        (applied("GPU"), "gpu", True),
        (replaced(GPU, 31, 31) + applied("GPU"), "gpu", True),
        (replaced("LITERT_CL", 31, 31), "gpu", True),
        (replaced(GPU, 29, 31, 3), "gpu", False),
        (applied("GPU", "partially"), "gpu", False),
        (replaced(GPU, 29, 31, 3) + replaced(XNNPACK, 2, 3, 2), "gpu", False),
        (replaced(XNNPACK, 31, 31), "cpu", True),
        (applied("XNNPACK"), "cpu", True),
        (UNUSED, "cpu", True),
        ("INFO: nothing of it\n", None, False),
    ],
)  # fmt: skip
def test_what_computed_when_the_gpu_was_asked_for(text, got, whole):
    found = computed_in(text, "gpu")
    assert (found.got, found.whole) == (got, whole)


def test_the_processor_is_believed_without_a_word():
    assert computed_in("", "cpu").got == "cpu"
    assert "XNNPack" in computed_in(replaced(XNNPACK, 5, 5), "cpu").evidence
