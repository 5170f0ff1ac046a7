"""Release: what an app has to know of a model, as the over-the-air manifest says it.

Pure: infos and results in, JSON values out. An app that reads the manifest needs no other file but
the model that its device takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from components.artifacts.about import About
from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Decision, Split, Timing
from components.artifacts.firmware import Firmware
from components.artifacts.framing import Framing
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.released_files import WITHOUT
from components.release.tensors import input_of, output_of
from components.selection.sealed import SealedResult, qualification
from components.statistics.bootstrap import Interval

SCHEMA = 2


def file_entry(
    info: LiteModelInfo,
    decision: Decision,
    sealed: SealedResult,
    *,
    file: str,
    budgets: Budgets,
    framing: Framing,
    confidence: float,
    lineage: Mapping[str, str],
    firmware: Sequence[Firmware] = (),
) -> dict[str, Any]:
    """Return what ``manifest.json`` says of one model file.

    Args:
        info: Of the winning LiteModel.
        decision: How it won.
        sealed: How it did on the sealed split.
        file: Its name in the release.
        budgets: What it has to keep there as well.
        framing: How an app brings images to the size of the model.
        confidence: Which share the interval of the sealed drop holds.
        lineage: Digests of what the file was made from, by role.
        firmware: Its C files, one entry a microcontroller that runs it.
    """
    assert decision.winner, "only a winner is released"
    won = decision.variant(decision.winner)
    qualified, reasons = qualification(sealed, budgets, won.lead)
    return {
        "variant": won.name,
        "task": info.task,
        "file": file,
        "sha256": info.sha256,
        "size_bytes": info.size_bytes,
        "gzip_bytes": info.gzip_bytes,
        "parameters": info.parameters,
        "runtime": sorted({machine.runtime for machine in decision.devices.values()}),
        "input": input_of(info.input, framing),
        "output": output_of(info.output, sealed.winner.threshold),
        "budgets": asdict(budgets),
        "selection": selection_of(won, decision.split),
        "sealed": {**_sealed(sealed), "confidence": confidence},
        "qualified": qualified,
        "reasons": list(reasons),
        "steps": [dict(step) for step in info.steps],
        "lineage": dict(lineage),
        **({"firmware": [one.to_json() for one in firmware]} if firmware else {}),
    }


def manifest_of(entry: Mapping[str, Any], *, name: str, about: About = About()) -> dict[str, Any]:
    """Return the content of ``manifest.json`` of a release of one file, for every device.

    Args:
        entry: What ``file_entry`` gave.
        name: Of the release.
        about: Who answers for it and what it is for.
    """
    said = about.to_json()
    return {
        "schema": SCHEMA,
        "name": name,
        **entry,
        **({"about": said} if said else {}),
    }


def manifest_of_files(
    entries: Mapping[tuple[str, ...], Mapping[str, Any]],
    without: Mapping[str, str],
    *,
    name: str,
    about: About = About(),
) -> dict[str, Any]:
    """Return the content of ``manifest.json`` of a release with a file for each device.

    What reads one file alone finds the first one where it always was. ``qualified`` and ``reasons``
    are of the release, which qualifies where every file does.

    Args:
        entries: What ``file_entry`` gave, by the devices that take the file.
        without: By device why no file is for it.
        name: Of the release.
        about: Who answers for it and what it is for.
    """
    listed = [{**entry, "devices": list(devices)} for devices, entry in entries.items()]
    reasons = [
        f"{', '.join(entry['devices'])}: {reason}"
        for entry in listed
        for reason in entry["reasons"]
    ]
    reasons += [f"{device} has no file: {reason}" for device, reason in without.items()]
    return {
        **manifest_of(listed[0], name=name, about=about),
        "qualified": all(entry["qualified"] for entry in listed),
        "reasons": reasons,
        "files": listed,
        **({WITHOUT: dict(without)} if without else {}),
    }


def selection_of(won: Candidate, split: Split) -> dict[str, Any]:
    """Return how the winner did where it was chosen."""
    return {
        "metric": won.metric and asdict(won.metric),
        "drop": won.drop and asdict(won.drop),
        "p50_ms": {
            device: timing.p50_ms and asdict(timing.p50_ms)
            for device, timing in won.latency.items()
        },
        "peak_memory_bytes": won.peak_memory_bytes,
        "devices": {device: _on_device(timing) for device, timing in won.latency.items()},
        "description": split.description,
        "n_images": split.n_images,
    }


def _on_device(timing: Timing) -> dict[str, Any]:
    """Return what budgets of devices limit beside the median, as far as the device told it."""
    energy = timing.energy and timing.energy.mj_per_inference
    told = {
        "load_ms": timing.slowest_load_ms,
        "peak_memory_bytes": timing.peak_memory_bytes,
        "mj_per_inference": energy and asdict(energy),
        "arena_bytes": timing.arena_bytes,
        "flash_bytes": timing.flash_bytes,
    }
    return {key: value for key, value in told.items() if value is not None}


def _sealed(result: SealedResult) -> dict[str, Any]:
    """Return how winner and reference did on the sealed images."""
    trivial = result.reference.baseline
    groups = {name: asdict(group) for name, group in result.winner.groups.items()}
    return {
        "description": result.winner.description,
        "n_images": result.winner.n_images,
        "n_identities": result.winner.n_identities,
        "metrics": _plain(result.winner.metrics),
        "reference": _plain(result.reference.metrics),
        "baseline": {"name": trivial.name, "metrics": _plain(trivial.metrics)},
        "drop": result.drop and asdict(result.drop),
        **(
            {
                "pairs": {
                    "winner": result.winner.pairs and asdict(result.winner.pairs),
                    "reference": asdict(result.reference.pairs),
                    "baseline": trivial.pairs and asdict(trivial.pairs),
                }
            }
            if result.reference.pairs
            else {}
        ),
        **({"groups": groups} if groups else {}),
    }


def _plain(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: asdict(interval) for name, interval in metrics.items()}
