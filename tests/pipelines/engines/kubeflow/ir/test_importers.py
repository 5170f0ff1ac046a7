"""Importers name what they import."""

import pytest

from pipelines.engines.kubeflow.ir.importers import of_source, result_task
from pipelines.runs.graph import Ref


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("gs://bucket/faces/", "faces"),
        ("/home/me/digits.csv.gz", "digits.csv.gz"),
        ("package:sklearn/datasets/data/digits.csv.gz", "digits.csv.gz"),
        (("gs://bucket/a/layers.py", "gs://bucket/b/loss.py"), "layers.py and 1 more"),
    ],
)
def test_imported_data_has_the_name_that_people_gave_it(place, shown):
    importer = of_source("data", place, uri="gs://b/s/1", digest="1" * 64, cached=True)
    assert importer.executor_json()["importer"]["metadata"] == {
        "digest": "1" * 64, "display_name": shown,
    }  # fmt: skip
    outputs = importer.component_json()["outputDefinitions"]["artifacts"]
    assert set(outputs) == {"data"}, "the node in the picture is called after it"


def test_names_of_tasks_are_names_to_kubernetes():
    assert result_task(Ref("convert-a", "lite_model")) == "result-convert-a-lite-model"
