import json

import pytest

from components.artifacts.decision import Decision
from components.contract.errors import UserError
from tests.components.test_select import decided
from tests.data.variants import Variant


def test_a_decision_reads_back_as_it_was_written(tmp_path):
    decision = decided(
        tmp_path / "trees",
        [Variant("teacher", size_bytes=900_000), Variant("a", disturbed=True), Variant("b")],
    )
    decision.write(tmp_path / "decision")
    assert Decision.read(tmp_path / "decision") == decision


def test_the_file_has_the_keys_that_others_rely_on(tmp_path):
    decided(tmp_path / "trees", [Variant("teacher"), Variant("a")]).write(tmp_path)
    content = json.loads((tmp_path / Decision.FILE).read_bytes())
    assert {
        "schema", "winner", "reason", "reference", "budgets", "metric", "minimize", "variants",
        "baseline", "near_misses", "split",
    } <= content.keys()  # fmt: skip
    assert {
        "name", "steps", "candidate", "size_bytes", "gzip_bytes", "parameters", "metric", "drop",
        "latency", "peak_memory_bytes", "verdict", "on_front", "reason",
    } <= content["variants"][0].keys()  # fmt: skip
    assert content["variants"][1]["latency"]["host"]["p50_ms"].keys() == {"value", "low", "high"}


def test_scalars_are_strings_and_numbers(tmp_path):
    scalars = decided(tmp_path / "trees", [Variant("teacher"), Variant("a")]).scalars()
    assert scalars["winner"] == "a"
    assert scalars["drop_low"] <= scalars["drop"] <= scalars["drop_high"]
    assert all(type(value) in (str, int, float) for value in scalars.values())


def test_what_is_no_decision_is_refused(tmp_path):
    with pytest.raises(UserError, match="no decision"):
        Decision.read(tmp_path)
    (tmp_path / Decision.FILE).write_text('{"schema": 99}')
    with pytest.raises(UserError, match="another version"):
        Decision.read(tmp_path)
