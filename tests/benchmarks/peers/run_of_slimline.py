"""slimline's own part: its example is run on the data at hand, and its results are found again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.artifacts.decision import Candidate, Decision
from components.contract.errors import UserError
from pipelines.compress import model_port
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.config.step_names import step_names
from pipelines.config.variant_tree import merged
from pipelines.runs.cache import Cache
from pipelines.runs.records import RunRecord, list_runs
from pipelines.runs.workspace import workspace_root
from pipelines.stores.opening import open_store
from tests.benchmarks.peers.places import Places

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "pipelines" / "examples" / "resnet8.yaml"
STUDENT = "student"
"""The variant whose network, before anything else was done to it, every peer takes, too."""
_TRIAL_IMAGES = 2000
_LENGTHS = {"epochs": 1, "views": 1}


@dataclass(frozen=True)
class SlimlineRun:
    """A finished run of the example.

    Attributes:
        config: What was run.
        record: What happened.
        cache: The store that holds it.
    """

    config: Config
    record: RunRecord
    cache: Cache

    @property
    def decision(self) -> Decision:
        """What it chose, and how every variant was measured on the selection images."""
        content = self.cache.read_file(self._digest("select", "decision"), Decision.FILE)
        return Decision.from_json(json.loads(content))

    @property
    def variants(self) -> tuple[Candidate, ...]:
        """The teacher, then the others in the order of the configuration."""
        return self.decision.variants

    def stage(self, step: str, port: str, folder: Path) -> Path:
        """Bring an output of a step into a folder."""
        return self.cache.stage(self._digest(step, port), folder)

    def model_of(self, name: str) -> tuple[str, str]:
        """Return step and output of the Model that is handed to the peers: teacher or student."""
        if name != STUDENT:
            return "import-model", model_port("import_model")
        tree = merged(self.config)
        place = tree.leaves[STUDENT]
        step = step_names(tree, "import-model")[place]
        return step, model_port(tree.nodes[place].component)

    def trees(self) -> Mapping[str, str]:
        """Return the digests of what the peers are given."""
        ports = [("ingest", "dataset"), ("ingest", "sealed")]
        ports += [self.model_of(name) for name in ("teacher", STUDENT)]
        return {f"{step}/{port}": self._digest(step, port) for step, port in ports}

    def _digest(self, step: str, port: str) -> str:
        return self.record.steps[step]["outputs"][port]


def configured(places: Places, steps: int | None, store: Path, folder: Path) -> Path:
    """Write the example with the data at hand, and return the file.

    Args:
        places: Where data and model are.
        steps: None, or a short trial is wanted: few images and one epoch.
        store: Where results are kept.
        folder: Where the file is to lie.
    """
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    content["data"], content["store"] = str(places.images), str(store)
    content["teacher"]["model"] = str(places.h5)
    if steps is not None:
        content["split"]["subset"] = _TRIAL_IMAGES
        content["variants"] = _shortened(content["variants"])
        content["budgets"]["drop"] = 1.0
    file = folder / EXAMPLE.name
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def _shortened(value: Any) -> Any:
    """Return variants whose trainings have one epoch."""
    if isinstance(value, dict):
        return {key: _LENGTHS.get(key, _shortened(inner)) for key, inner in value.items()}
    return [_shortened(inner) for inner in value] if isinstance(value, list) else value


def launched(file: Path, output: Path) -> SlimlineRun:
    """Run a configuration, which goes on where it was stopped, and find what it came to.

    Raises:
        UserError: The run failed; it has said why.
    """
    # Timings that other load disturbed the last time are made again: without them there is no front.
    options = ("--output", str(output), "--remeasure")
    command = [sys.executable, "-m", "pipelines.cli", "run", str(file), *options]
    done = subprocess.run(command, cwd=ROOT, check=False)
    # 3: nothing keeps to the budgets, which is a result, too.
    if done.returncode not in (0, 3):
        raise UserError(
            f"slimline's own run of {file} ended with exit code {done.returncode}: see above",
            "put right what it says, then the same command again: what is done is kept",
        )
    return found(file)


def found(file: Path) -> SlimlineRun:
    """Return the newest finished run of a configuration.

    Raises:
        UserError: There is none.
    """
    config = load(file)
    store = open_store(config.store)
    done = [
        record
        for record in list_runs(store)
        if (record.config_digest, record.outcome) == (config.digest, "done")
    ]
    if not done:
        raise UserError(
            f"{store.uri} has no finished run of {file.name}", "make peers ONLY=slimline DATA=DIR"
        )
    return SlimlineRun(config, done[-1], Cache(store, workspace_root(store)))
