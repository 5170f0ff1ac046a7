"""`slimline compile` on data in a bucket: what it writes, for whom, and what it refuses."""

import hashlib
import json
import sys

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.sources.local import local_files
from pipelines.sources.snapshot import snapshot
from tests.pipelines.engines.kubeflow.graphs import REFERENCES, SETTINGS, TINY, config_of

DATA = "gs://data/digits.csv.gz"


@pytest.fixture
def config(gcs, tmp_path, monkeypatch):
    """The smallest configuration, its data in a bucket of the tests' own server."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    data = load(TINY).data
    gcs.bucket("data")
    content = local_files(data, "").root.read_bytes()
    gcs.storage.write("data", "digits.csv.gz", content, {}, {})
    config_of(tmp_path, data=DATA)
    return tmp_path / "config.yaml", snapshot(data).digest


def test_what_is_written_is_what_is_said(config, tmp_path, capsys):
    path, digest = config
    out = tmp_path / "pipeline.yaml"
    assert main(["compile", str(path), "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert said["sources"] == {"data": f"gs://bucket/pipelines/sources/{digest}"}
    pipeline, platform = yaml.safe_load_all(out.read_text())
    assert set(said["steps"]) == set(pipeline["root"]["dag"]["tasks"]) - {"source-data"}
    assert "kubernetes" in platform["platforms"]
    assert main(["compile", str(path), "-o", str(tmp_path / "again.yaml")]) == 0
    assert "pipeline tiny, 18 steps" in capsys.readouterr().out
    assert (tmp_path / "again.yaml").read_bytes() == out.read_bytes()


def test_for_vertex_it_is_one_document(config, tmp_path):
    path, _ = config
    out = tmp_path / "pipeline.yaml"
    assert main(["compile", str(path), "-o", str(out), "--target", "vertex"]) == 0
    assert yaml.safe_load(out.read_text())["pipelineInfo"]["name"] == "tiny"


@pytest.mark.parametrize(
    ("changes", "target", "what"),
    [
        ({"kubeflow": None}, "kubeflow", "the configuration has no section kubeflow"),
        ({"data": str(TINY)}, "kubeflow", "is on this machine, where pods cannot read it"),
        (
            {"kubeflow": SETTINGS | {"image_pull_secrets": ["registry"]}},
            "vertex",
            "kubeflow.image_pull_secrets: Vertex AI has no Kubernetes secrets",
        ),
        (
            {"kubeflow": SETTINGS | {"images": "registry.example/me"}},
            "kubeflow",
            "no Docker Engine answers",
        ),
        (
            {"kubeflow": SETTINGS | {"images": REFERENCES | {"train": "registry.example/train:1"}}},
            "kubeflow",
            "kubeflow.images.train: 'registry.example/train:1' has no digest",
        ),
    ],
)
def test_what_cannot_run_there_is_refused_and_nothing_is_written(
    config, changes, target, what, tmp_path, capsys
):
    path, _ = config
    given = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(given))
    out = tmp_path / "pipeline.yaml"
    assert main(["compile", str(path), "-o", str(out), "--target", target]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert "fix: " in said
    assert not out.exists()


def test_it_says_which_version_it_was_compiled_for(config, tmp_path, capsys):
    path, _ = config
    words = ["compile", str(path), "-o", str(tmp_path / "pipeline.yaml")]
    assert main(words) == 0
    assert "for Kubeflow Pipelines 2.5 to 2.18 (--kfp VERSION" in capsys.readouterr().out
    assert main([*words, "--kfp", "2.17", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kfp"] == "2.17.0"
    assert main([*words, "--kfp", "3.1.0"]) == 0
    assert "warning: --kfp 3.1.0: it has no ML Metadata" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--kfp", "newest"], "--kfp newest: expected a version"),
        (["--kfp", "2.0.5"], "compiled for Kubeflow Pipelines 2.5.0 and newer"),
        (["--kfp", "2.17.0", "--target", "vertex"], "the target is Vertex AI"),
    ],
)
def test_versions_that_nothing_is_compiled_for_are_refused(words, what, config, tmp_path, capsys):
    path, _ = config
    assert main(["compile", str(path), "-o", str(tmp_path / "p.yaml"), *words]) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "p.yaml").exists()


def test_a_graph_that_fits_one_version_is_compiled_for_that_alone(config, tmp_path, capsys):
    path, _ = config
    variants = {
        f"v{index}": [{"distill": {"backbone": "conv", "alpha": 0.2 + index / 100, "epochs": 1}}]
        for index in range(25)
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | {"variants": variants}))
    words = ["compile", str(path), "-o", str(tmp_path / "pipeline.yaml")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "2.5.0, the strictest of all" in said
    assert "--kfp VERSION" in said
    assert main([*words, "--kfp", "2.17.0"]) == 0


def test_neither_it_nor_its_modules_load_the_sdk(config, tmp_path):
    import subprocess

    path, _ = config
    script = (
        "import sys; from pipelines.cli.main import main; assert main(sys.argv[1:]) == 0;"
        "assert not {'kfp', 'kubernetes', 'tensorflow'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", script, "compile", str(path), "-o", str(tmp_path / "p.yaml")]
    subprocess.run(command, cwd=TINY.parents[2], check=True)
