"""The leaderboard of a run, as the document that programs read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.budgets import DEVICE_LIMITS
from components.contract.errors import UserError
from pipelines.runs.leaderboard import DOCUMENT, leaderboard_of
from pipelines.stores.layout import blob_key
from tests.pipelines.runs.kept_run import DECISION, SEALED_DROP, Kept


def test_the_document_holds_what_it_promises(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    document = json.loads(json.dumps(kept.board().to_json()))
    assert tuple(document) == DOCUMENT
    assert document["run"] == "digits-1"
    assert document["config_digest"] == "c" * 64
    assert document["winner"] == "student-int8"
    assert document["budgets"] == {
        "metric": "auc",
        "drop": 0.01,
        "size_mb": 0.05,
        "latency_ms": 1.0,
        "at_least": None,
        "per": None,
        "by_device": None,
        **dict.fromkeys(DEVICE_LIMITS[1:]),
    }
    assert document["notes"] == []
    assert document["baseline"]["metrics"]["auc"]["value"] == 0.87
    assert document["data"] == "unseen images of all 10 classes"
    assert (document["steps_cached"], document["steps_run"]) == (1, len(kept.steps) - 1)
    assert document["sealed"]["times_opened"] == 2
    assert document["sealed"]["winner"]["auc"]["value"] == 0.984
    assert document["sealed"]["drop"] == SEALED_DROP
    assert document["sealed"]["qualified"] is True
    assert [variant["name"] for variant in document["variants"]] == [
        "teacher",
        "student-int8",
        "pruned",
    ]
    small = document["variants"][1]
    assert small["digest"] == kept.steps["convert-student-int8"]["lite"]
    assert small["steps"] == [{"component": "train", "backbone": "conv"}]
    assert (small["size_bytes"], small["gzip_bytes"]) == (9_876, 83_000)
    assert small["latency"]["host"]["p50_ms"] == {"value": 0.31, "low": 0.3, "high": 0.33}
    assert small["metric"] == {"value": 0.991, "low": 0.985, "high": 0.995}
    assert small["drop"] == {"value": 0.004, "low": 0.001, "high": 0.008}
    assert small["verdict"] == "winner"
    assert small["reason"].startswith("the smallest")
    dead = document["variants"][2]
    assert dead["metric"] is dead["drop"] is dead["latency"]["host"]["p50_ms"] is None


def test_damaged_bytes_are_never_shown(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    tree = kept.steps["select"]["decision"]
    (entry,) = kept.cache.tree(tree).entries
    blob = Path(kept.store.uri, blob_key(entry.sha256))
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"student-int8", b"student-int9"))
    with pytest.raises(UserError, match="decision of select is damaged") as caught:
        kept.board()
    assert "slimline run" in caught.value.fix


def test_another_versions_decision_is_refused(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    tree = kept.put("future", {"decision.json": {**DECISION.to_json(), "schema": 99}})
    record = replace(
        kept.record(), steps={"select": {"state": "done", "outputs": {"decision": tree}}}
    )
    with pytest.raises(UserError, match="another version"):
        leaderboard_of(kept.cache, record)
