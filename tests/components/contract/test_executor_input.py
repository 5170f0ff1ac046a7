"""The executor input: what a component is called with."""

import json

from components.contract.executor_input import parse_executor_input
from components.contract.results import ResultForm


def test_many_inputs_may_lie_together_in_one_artifact(tmp_path):
    """Some variants' results were gathered from other runs, others are artifacts of this one."""
    results = {}
    for name in ("convert-a", "convert-c", "alone"):
        folder = results[name] = tmp_path / ("gathered" if name != "alone" else ".") / name
        (folder / "lite").mkdir(parents=True)
        stated = {"outputs": {"lite": {"digest": name.ljust(64, "0")}}}
        (folder / "statement.json").write_text(json.dumps(stated))
    required = {
        "names": ["a", "b", "c"], "devices": [], "candidates": ["a"], "task": "verification",
        "metric": "auc", "drop": 0.1,
    }  # fmt: skip

    def artifact(place):
        return {"artifacts": [{"uri": str(place), "metadata": {}}]}

    message = {
        "inputs": {
            "artifacts": {
                "gathered": artifact(tmp_path / "gathered"),
                "models_1": artifact(results["alone"]),
            },
            "parameterValues": {
                **required,
                "ports": {"models": "lite"},
                "gathered": {"models": ["convert-a", None, "convert-c"]},
            },
        },
        "outputs": {
            "artifacts": {
                "metrics": artifact(tmp_path / "made" / "metrics"),
                "page": artifact(tmp_path / "made" / "page"),
            }
        },
    }
    form = ResultForm("metrics", ("page",))
    call = parse_executor_input("select", json.dumps(message), form)
    order = [results["convert-a"], results["alone"], results["convert-c"]]
    assert call.inputs["models"] == [place / "lite" for place in order]
    assert call.input_digests["models"] == [
        name.ljust(64, "0") for name in ("convert-a", "alone", "convert-c")
    ]
