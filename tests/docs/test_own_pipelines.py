"""The guides to pipelines of one's own, to the workspace and to GPUs: what they show is right."""

import re
from pathlib import Path

import pytest
import yaml
from kfp import compiler

from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.component_file import component_file

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny.yaml"


def blocks(name, language):
    text = (ROOT / "docs" / f"{name}.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_pipeline_that_is_shown_compiles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ingest", "prune"):
        image = f"registry.example/train@sha256:{'0' * 64}"
        Path(f"{name}.yaml").write_text(component_file(name, image))
    (shown,) = blocks("own_pipelines", "python")
    names: dict[str, object] = {}
    exec(compile(shown, "own_pipelines.md", "exec"), names)
    compiler.Compiler().compile(names["mine"], "mine.yaml")
    made = next(iter(yaml.safe_load_all(Path("mine.yaml").read_text())))
    assert {"ingest", "prune"} <= set(made["root"]["dag"]["tasks"])


@pytest.mark.parametrize(
    "block", [*blocks("workspace", "yaml"), *blocks("gpu", "yaml")], ids=lambda text: text[:20]
)
def test_configurations_that_are_shown_are_some(block, tmp_path):
    given = yaml.safe_load(TINY.read_text()) | {"data": "gs://bucket/data"} | yaml.safe_load(block)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(given))
    load(path)
