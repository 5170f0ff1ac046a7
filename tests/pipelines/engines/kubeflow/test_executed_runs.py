"""Whole runs in a cluster that executes them, at each version, with what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.engines.kubeflow.api import connection
from pipelines.engines.kubeflow.ir import gathered, limits
from pipelines.engines.kubeflow.watching import retrying
from pipelines.launch.launching import Launched, launch
from pipelines.runs.live.events import Event, StepDone, StepFailed
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from pipelines.stores.retrying import RetryPolicy
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp import recordings
from tests.servers.kfp.cluster import LocalRun
from tests.servers.kfp.executing import Executing, Seeded
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.server import KfpServer
from tests.servers.kfp.stand_ins import StandIns
from tests.servers.kfp.workflow_json import LIMIT_BYTES

ROOT = Path(__file__).parents[4]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
DIGITS = ROOT / "pipelines" / "examples" / "digits.yaml"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FACTOR", 1)


class Started:
    """A launch on a cluster that carries out one task whenever it is asked how a run is."""

    def __init__(self, executing: Executing, config: Path, folder: Path) -> None:
        self.executing, self.config, self.folder = executing, config, folder
        self.events: list[Event] = []

    def __call__(self, **place: Any) -> Launched:
        self.executing.kfp.after = self.executing.advance_all
        return launch(
            load(self.config),
            engine="kubeflow",
            store=str(self.folder / "store"),
            output=self.folder / "out",
            cluster=Place(host=self.executing.kfp.url, **place),
            on_event=self.events.append,
        )


@pytest.fixture
def started(gcs: GcsServer, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Make a launch of a configuration, whose steps stand-ins carry out, on a server of a version."""
    servers: list[KfpServer] = []
    kfp_cluster.put_data(gcs)

    def make(
        version: str,
        config: Path,
        local: LocalRun,
        settings: Mapping[str, Any] | None = None,
        real: Collection[str] = (),
        **how: Any,
    ) -> Started:
        given = {"retries": 10, "backoff_s": 1, **(settings or {})}
        place = kfp_cluster.configured(config, tmp_path / config.name, **given)
        server = KfpServer(version=version)
        servers.append(server)
        server.__enter__()
        stand_ins = StandIns(local.store, local.run, real)
        return Started(Executing(server, gcs, stand_ins.pod, **how), place, tmp_path)

    yield make
    for server in servers:
        server.__exit__()


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    folder = tmp_path_factory.mktemp("digits")
    return kfp_cluster.shared_local_run(DIGITS, folder, "SLIMLINE_DIGITS_RUN")


def steps_of(run: Started) -> list[str]:
    """Return the steps that were submitted, in the order of their names."""
    (workflow,) = run.executing.kfp.backend.workflows.values()
    return sorted(name for name, task in workflow.tasks.items() if not task.importer)


def done_in(run: Started) -> list[str]:
    """Return the steps that were told to be done, in the order of their names."""
    return sorted(event.step for event in run.events if isinstance(event, StepDone))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_in_which_pods_are_lost(
    started: Callable[..., Started], tiny_run: LocalRun, version: str
) -> None:
    faults = Seeded(seed=7, lost=0.1)
    run = started(version, TINY, tiny_run, faults=faults)
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    assert sum(faults.struck.values()) >= 2, "something was lost"
    assert done_in(run) == steps_of(run)


@pytest.mark.parametrize("version", ["2.5.0", "2.17.0"])
def test_steps_of_one_component_may_be_given_different_parameters(
    started: Callable[..., Started], tiny_run: LocalRun, tmp_path: Path, version: str
) -> None:
    config = recordings.needed() / "configs" / "driverfails.yaml"
    given = yaml.safe_load(config.read_text()) | {"baseline": "none"}
    (tmp_path / "given.yaml").write_text(yaml.safe_dump(given))
    run = started(version, tmp_path / "given.yaml", tiny_run, real=("select", "publish"))
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    assert {"distill-conv-050", "distill-conv-025"} <= set(done_in(run))


@pytest.mark.parametrize("workspace", [{"claim": "datasets"}, {"size": "1Gi"}], ids=str)
def test_a_run_with_a_workspace_ends_as_one_without(
    started: Callable[..., Started],
    tiny_run: LocalRun,
    workspace: Mapping[str, str],
    tmp_path: Path,
) -> None:
    (tmp_path / "volumes" / "datasets").mkdir(parents=True)
    settings = {"workspace": dict(workspace)}
    run = started("2.17.0", TINY, tiny_run, settings=settings, volumes=tmp_path / "volumes")
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    assert "workspace-dataset" in steps_of(run), "in the cluster, and no step of the graph"
    assert done_in(run) == sorted({*steps_of(run)} - {"workspace-dataset"})
    assert list(tmp_path.glob("volumes/*/slimline/*"))


@pytest.mark.parametrize("version", ["2.5.0", "2.17.0"])
def test_a_run_in_parts_chooses_among_results_of_all_parts(
    started: Callable[..., Started],
    tiny_run: LocalRun,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fault(made: Any, *_: Any, **__: Any) -> UserError | None:
        return UserError("too many steps", "take fewer") if len(made.steps) > 8 else None

    monkeypatch.setattr(limits, "fault", fault)
    monkeypatch.setattr(gathered, "IMPORTS_MAX", 1)
    run = started(version, TINY, tiny_run, real=("select", "publish"))
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    workflows = run.executing.kfp.backend.workflows.values()
    assert len(workflows) == 3
    assert any("gathered-select" in workflow.tasks for workflow in workflows)
    executed = [
        name for flow in workflows for name, task in flow.tasks.items() if not task.importer
    ]
    assert sorted(executed) == done_in(run), "each step once"
    here = read_run(open_store(str(run.folder / "store")), launched.run).steps["select"]["outputs"]
    local = read_run(open_store(str(tiny_run.store)), tiny_run.run).steps["select"]["outputs"]
    assert here["decision"] == local["decision"], "from what was gathered, the same choice"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", VERSIONS)
def test_digits_in_a_cluster_that_loses_pods_and_fails_drivers(
    started: Callable[..., Started], digits_run: LocalRun, version: str
) -> None:
    faults = Seeded(seed=5, lost=0.1, failing=0.06)
    run = started(version, DIGITS, digits_run, faults=faults)
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    assert {"step lost", "driver lost", "driver fails"} <= faults.struck.keys(), faults.struck
    assert done_in(run) == steps_of(run)
    if version == "2.17.0":
        ((plain, compressed),) = run.executing.sizes.values()
        assert compressed < LIMIT_BYTES < plain, "the task list stood still"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["wide10", "wide60"])
def test_many_variants_come_to_their_end(
    started: Callable[..., Started],
    digits_run: LocalRun,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The choice among sixty is worked out while the server is asked how the run is.
    patient = RetryPolicy(deadline_s=1800)
    monkeypatch.setattr(connection, "RetryPolicy", lambda **_: patient)
    config = recordings.needed() / "configs" / f"{name}.yaml"
    run = started("2.17.0", config, digits_run, real=("select", "publish"))
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    runs = run.executing.kfp.backend.runs
    assert (len(runs) > 1) == (name == "wide60"), "sixty variants do not fit into one run"
    assert all(compressed <= LIMIT_BYTES for _, compressed in run.executing.sizes.values())
