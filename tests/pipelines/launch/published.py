"""What a run published, as small as it can be: the files of a release, its page, its decision."""

import hashlib
import json
import tempfile
from pathlib import Path

from pipelines.launch.exporting import PublishedRun
from pipelines.runs.cache import Cache
from pipelines.runs.records import RunRecord, put_finished


def record_of(run: str, steps: dict[str, dict[str, object]]) -> RunRecord:
    return RunRecord(
        run=run, name="digits", config_digest="c" * 64, graph_digest="d" * 64, engine="local",
        started="2026-01-02T03:04:05.678+00:00", finished="2026-01-02T03:05:05.678+00:00",
        outcome="done", budgets={"metric": "auc"}, steps=steps, sources={"data": "e" * 64},
        wall_s=60.0, critical_path_s=51.5,
    )  # fmt: skip


def publish_run(
    cache: Cache,
    run: str,
    *,
    model: bytes = b"model",
    qualified: bool | None = True,
    manifest_sha256: str | None = None,
) -> PublishedRun:
    """Put into the store what select and publish leave, and the record of the run.

    Args:
        cache: Of the store.
        run: The run's identifier.
        model: Bytes of the winner's file.
        qualified: None is a run without a winner.
        manifest_sha256: What the manifest says of the file, if not the truth.
    """
    sha256 = hashlib.sha256(model).hexdigest()
    decision = {
        "winner": None if qualified is None else "small",
        "variants": [{"name": "small", "sha256": sha256}],
    }
    manifest = {
        "name": "digits", "sha256": manifest_sha256 or sha256, "qualified": qualified,
        "reasons": [run],
    }  # fmt: skip
    if qualified is None:
        release = {"none.json": json.dumps({"winner": None, "reason": run}).encode()}
    else:
        release = {
            "model.tflite": model, "manifest.json": json.dumps(manifest).encode(),
            "card.md": run.encode(), "card.html": run.encode(),
        }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:

        def put(name: str, files: dict[str, bytes]) -> str:
            root = Path(folder, name)
            root.mkdir()
            for file, data in files.items():
                (root / file).write_bytes(data)
            return cache.put_tree(root).digest

        page = Path(folder, "page.html")
        page.write_bytes(f"<p>{run}".encode())
        published = PublishedRun(
            "digits", run,
            put("release", release),
            cache.put_tree(page).digest,
            (put("decision", {"decision.json": json.dumps(decision).encode()}),),
        )  # fmt: skip
    outputs = {"page": published.page, "decision": published.decisions[0]}
    steps: dict[str, dict[str, object]] = {
        "select": {"state": "done", "outputs": outputs},
        "publish": {"state": "done", "outputs": {"release": published.release}},
    }
    put_finished(cache.store, record_of(run, steps))
    return published
