"""Where results lie on Vertex AI: the folder names the task, which is no job and no salt."""

from __future__ import annotations

import pytest

from components.contract.executor_input import _task
from pipelines.engines.kubeflow.results.stated import Found


@pytest.mark.parametrize(
    ("uri", "task"),
    [
        ("gs://b/root/faces/123/faces-1/convert-v5_-4611686018427387904/lite_model", "convert-v5"),
        ("gs://b/root/faces/run/convert-v5/1f6a6e36-4b0f-4b0e-9a51-6d6a3a0c4c5e/x", "convert-v5"),
    ],
)
def test_the_task_is_found_in_the_address_of_its_result(uri: str, task: str) -> None:
    assert _task(uri) == task


@pytest.mark.parametrize(
    ("folder", "executed_by"),
    [
        ("faces/123/faces-20260101-000000-abcd/train_-46", ("faces-20260101-000000-abcd", "train")),
        ("faces/run/train/1f6a6e36-4b0f-4b0e-9a51-6d6a3a0c4c5e", ("run", "train")),
    ],
)
def test_who_executed_a_step_is_told_by_its_folder(
    folder: str, executed_by: tuple[str, str]
) -> None:
    assert Found(folder, {}, {}).executed_by == executed_by
