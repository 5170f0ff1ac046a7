"""The guide to clusters: commands parse or run, configurations load, manifests are Kubernetes'."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipelines.cli.main import main, parser
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.watching import watcher
from pipelines.engines.vertex import engine as vertex_engine
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster, LocalRun
from tests.servers.kfp.server import KfpServer
from tests.servers.vertex.cluster import VertexCluster
from tests.servers.vertex.server import VertexServer

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/kubeflow.md").read_text()
TINY = ROOT / "tests" / "data" / "tiny.yaml"
PROGRAMS = {
    "aws", "curl", "docker", "echo", "export", "gcloud", "kind", "kubectl", "slimline", "ssh",
    "ssh-copy-id", "ssh-keygen", "ssh-keyscan",
}  # fmt: skip
ACTIONS = ("add", "list", "pause", "resume", "remove")
RUN = "# run by the tests, against imitations"
NOT_RUN = re.compile(r"# not run here: needs [a-zA-Z ]+")
KUBERNETES = ("1.31", "1.34")
HOST = "http://localhost:8080"


def blocks(language: str, text: str = GUIDE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands_of(block: str) -> list[list[str]]:
    return [shlex.split(line) for line in block.splitlines() if line and not line.startswith("#")]


def commands() -> list[list[str]]:
    return [words for block in blocks("sh") for words in commands_of(block)]


def documents() -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in blocks("yaml")]


def manifests() -> list[dict[str, Any]]:
    return [document for document in documents() if "apiVersion" in document]


def test_every_line_is_a_command_of_a_program_that_the_guide_names() -> None:
    assert {words[0] for words in commands()} == PROGRAMS


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_block_says_whether_it_has_been_run(block: str) -> None:
    first = block.splitlines()[0]
    assert first == RUN or NOT_RUN.fullmatch(first)
    programs = {words[0] for words in commands_of(block)}
    assert first != RUN or programs == {"slimline"}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_slimline_parse(words: list[str]) -> None:
    if words[0] != "slimline":
        assert words[1:], "a command of another program, which nothing here can check"
        return
    arguments = parser().parse_args(words[1:], argparse.Namespace(given=words[1:]))
    assert callable(arguments.command)
    cron = getattr(arguments, "cron", None)
    if cron:
        from pipelines.engines.kubeflow.recurring.cron import parse
        from pipelines.runs.moments import zone

        assert parse(cron).six == f"0 {cron}"
        assert zone(arguments.zone)


def test_every_command_about_a_cluster_is_in_the_guide() -> None:
    said = {tuple(words[1:3]) for words in commands() if words[0] == "slimline"}
    assert {("schedule", action) for action in ACTIONS} <= said
    firsts = {first for first, *_ in said}
    assert {"compile", "explain", "run", "sync", "show", "logs", "images"} <= firsts


def test_configurations_load(tmp_path: Path) -> None:
    sections = [document for document in documents() if "kubeflow" in document]
    assert len(sections) == 7
    for section in sections:
        path = tmp_path / "guide.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), **section}))
        settings = load(path).kubeflow
        assert settings
        assert settings.pipeline_root.partition("://")[0] in ("gs", "minio")


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest["kind"])
def test_manifests_are_what_kubernetes_reads(manifest: dict[str, Any], version: str) -> None:
    assert kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_with_another_key_is_found() -> None:
    (quota,) = [manifest for manifest in manifests() if manifest["kind"] == "ResourceQuota"]
    broken = {**quota, "spec": {"hrad": {}}}
    with pytest.raises(kubernetes_validate.ValidationError, match="hrad"):
        kubernetes_validate.validate(broken, KUBERNETES[0], strict=True)


def test_there_are_manifests_for_what_the_guide_promises() -> None:
    kinds = {manifest["kind"] for manifest in manifests()}
    assert kinds == {"CronJob", "RoleBinding", "PersistentVolumeClaim", "ResourceQuota"}
    rest = [one for one in documents() if not {"apiVersion", "kubeflow"} & one.keys()]
    assert [min(one) for one in rest] == ["mirrors", "kubeletConfig"], "of k3s and of GKE"


def test_the_token_of_a_pod_lies_where_it_is_looked_for() -> None:
    from pipelines.engines.kubeflow.api.identity import POD_TOKEN

    (job,) = [manifest for manifest in manifests() if manifest["kind"] == "CronJob"]
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (volume,) = pod["volumes"]
    (source,) = volume["projected"]["sources"]
    token = source["serviceAccountToken"]
    assert Path(mount["mountPath"], token["path"]) == POD_TOKEN
    assert token["audience"] == "pipelines.kubeflow.org"
    words = pod["containers"][0]["args"]
    assert parser().parse_args(words, argparse.Namespace(given=words)).command


@pytest.mark.parametrize("code", blocks("python"))
def test_python_compiles(code: str) -> None:
    ast.parse(code)


def test_the_estimate_of_the_cost_runs(tmp_path: Path) -> None:
    from pipelines.runs.records import RunRecord, put_finished
    from pipelines.stores.opening import open_store

    (code,) = [block for block in blocks("python") if "CORE_HOUR" in block]
    store = open_store(str(tmp_path / "slimline-store"))
    record = '{"predicate":{"buildDefinition":{"internalParameters":{"component":"train"}}}}'
    store.put_if_absent("runs/r/steps/train.json", record.encode())
    step = {"state": "done", "record": "runs/r/steps/train.json", "wall_s": 3600.0}
    now = "2026-06-01T00:00:00.000+00:00"
    run = RunRecord(
        run="r", name="faces", config_digest="", graph_digest="", engine="kubeflow", started=now,
        finished=now, outcome="done", budgets={}, sources={}, wall_s=1.0, critical_path_s=1.0,
        steps={"train": step, "select": {"state": "skipped"}},
    )  # fmt: skip
    put_finished(store, run)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0.66\n"  # 7 cores, 26 GB and a GPU for an hour


def test_wishes_name_tests_that_are_there() -> None:
    table = GUIDE.partition("## What people ask")[2]
    tests = set(re.findall(r"`((?:\w+/)?test_\w+\.py)`", table))
    assert len(tests) > 8
    folder = ROOT / "tests/pipelines/engines/kubeflow"
    assert not {name for name in tests if not (folder / name).is_file()}
    rows = [row for row in table.splitlines() if re.search(r"#\d+", row)]
    assert all(re.search(r"`(\w+/)?test_", row) for row in rows)


def test_it_says_plainly_what_has_not_been_tried() -> None:
    tried = GUIDE.partition("## What has been tried")[2].partition("## 1.")[0]
    assert "2.5.0, 2.14.0, 2.16.1 and 2.17.0" in tried
    assert "has met the recordings" in tried
    assert "run by nobody here" in tried
    assert "No pod has pulled an image, no GPU has trained" in tried


# run, against imitations ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``faces.yaml``, the smallest configuration under the name of the guide."""
    path = kfp_cluster.configured(TINY, tmp_path / "faces.yaml")
    plain = yaml.safe_load(path.read_text())
    plain |= {"name": "faces", "store": "./slimline-store"}
    (settings,) = [one["kubeflow"] for one in documents() if "vertex" in one.get("kubeflow", {})]
    plain["kubeflow"]["vertex"] = settings["vertex"]
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    for module in (watcher, vertex_engine):
        monkeypatch.setattr(module, "POLL_S", 0.01)
        monkeypatch.setattr(module, "POLL_MAX_S", 0.01)
    return tmp_path


def tried(part: str) -> Iterator[list[str]]:
    """Yield the commands of one chapter that its blocks say are run."""
    for block in blocks("sh", re.split(r"^## ", GUIDE, flags=re.MULTILINE)[chapter(part)]):
        if block.startswith(RUN):
            yield from commands_of(block)


def chapter(title: str) -> int:
    parts = re.split(r"^## ", GUIDE, flags=re.MULTILINE)
    (index,) = [index for index, part in enumerate(parts) if part.startswith(title)]
    return index


@pytest.mark.parametrize("part", ["6. Run", "7. Schedules"])
def test_commands_about_a_cluster_run(
    kfp: KfpServer, gcs: GcsServer, tiny_run: LocalRun, folder: Path, part: str
) -> None:
    kfp_cluster.put_data(gcs)
    cluster = Cluster(kfp, gcs, tiny_run, graph_of(load(folder / "faces.yaml")))

    def advance(operation: str) -> None:
        if operation == "get_run":
            for run in list(kfp.backend.runs):
                cluster.advance(run)

    kfp.after = advance
    ran = 0
    for words in tried(part):
        given = [word.replace(HOST, kfp.url) for word in words[1:]]
        assert main(given) == 0, words
        ran += 1
    assert ran >= 6


def test_commands_and_python_about_vertex_ai_run(
    kfp: KfpServer, gcs: GcsServer, tiny_run: LocalRun, folder: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from google.oauth2 import service_account

    monkeypatch.setattr(
        service_account.Credentials,
        "_is_regional_access_boundary_lookup_required",
        lambda _self: False,
    )
    kfp_cluster.put_data(gcs)
    with VertexServer() as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.credentials(folder / "k")))
        graph = graph_of(load(folder / "faces.yaml"))
        vertex = VertexCluster(kfp, gcs, tiny_run, graph, vertex=server)

        def advance(operation: str) -> None:
            for job in list(server.jobs) if operation == "get" else ():
                vertex.advance(job)

        server.after = advance
        said = ""
        for words in tried("Vertex AI"):
            host = [] if words[1] == "compile" else ["--host", server.url]
            capsys.readouterr()
            assert main([*words[1:], *host]) == 0, words
            said = capsys.readouterr().out
        (code,) = [block for block in blocks("python") if "schedules" in block]
        code = code.replace("https://europe-west4-aiplatform.googleapis.com", server.url)
        code = re.sub(r'(?<=VERSION = ")[0-9a-f-]+', json.loads(said)["version"], code)
        exec(compile(code, "guide", "exec"), {})
        assert "schedules/1" in capsys.readouterr().out
        (schedule,) = server.schedules
        (launched,) = server.jobs
        fired = server.fire(schedule)
        vertex.complete(fired, cached_from=launched)
        (sync,) = [words[1:] for words in tried("Vertex AI") if words[1] == "sync"]
        assert main([*sync, "--host", server.url]) == 0
        assert "1 of 2 runs imported" in capsys.readouterr().out
