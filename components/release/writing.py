"""Writing: the files of a release, written from what select and the sealed evaluations say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts.about import About
from components.artifacts.budgets import Budgets, DropBudget
from components.artifacts.decision import Decision
from components.artifacts.empty import FILE as NOTHING
from components.artifacts.firmware import kept_firmware, write_released
from components.artifacts.framing import Framing
from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.qualification import MANIFEST
from components.artifacts.released_files import files_in
from components.artifacts.report_material import ReportMaterial
from components.contract.digests import canonical_json
from components.measure.paired import Answers, read_evaluated
from components.pages.blocks import CardSection, markdown
from components.pages.device_files import DeviceFileRow, card_of_files
from components.pages.leaderboard import leaderboard_page
from components.pages.model_card import card_page, card_sections, empty_page, lead_of
from components.pages.outcome import SealedVerdict
from components.release.chosen import ChosenFile
from components.release.manifest import file_entry, manifest_of, manifest_of_files
from components.selection.deciding import judged_by
from components.selection.joined_decision import joined
from components.selection.sealed import SealedResult
from components.selection.sealed_step import sealed_next_step
from components.statistics.resampling import Resampling

CARD, CARD_PAGE = "card.md", "card.html"


@dataclass(frozen=True)
class _Written:
    """A file in the release, and all that the card and the report say of it."""

    chosen: ChosenFile
    entry: Mapping[str, Any]
    result: SealedResult
    budgets: Budgets
    answers: Answers | None


def write(
    files: Sequence[ChosenFile],
    without: Mapping[str, Decision],
    sealed_teacher: Path,
    release: Path,
    page: Path,
    report: Path,
    *,
    name: str,
    budget: DropBudget,
    framing: Framing,
    resampling: Resampling,
    about: About,
) -> None:
    """Write the release of what won.

    Args:
        files: Each model file, with the devices that take it; the first becomes ``model.tflite``.
        without: By device why nothing won there.
        sealed_teacher: Report of the reference on the sealed images.
        release: Folder to write.
        page: File to write the card to, as one page.
        report: File to write the report to.
        name: Of the release.
        budget: What the sealed drop must keep to.
        framing: How an app brings images to the size of the model.
        resampling: How its interval is made.
        about: Who answers for the release and what it is for.

    Raises:
        UserError: An input is not what it should be, or the task has no such metric.
    """
    reference = read_evaluated(sealed_teacher)
    release.mkdir(parents=True, exist_ok=True)
    written = [
        _write_file(
            chosen, MODEL_FILE if place == 0 else f"model-{chosen.devices[0]}.tflite", release,
            reference, sealed_teacher, budget=budget, framing=framing, resampling=resampling,
        )
        for place, chosen in enumerate(files)
    ]  # fmt: skip
    first = written[0]
    told: dict[str, Any] = {"name": name, "about": about}
    if not first.chosen.devices:
        manifest = manifest_of(first.entry, **told)
    else:
        manifest = manifest_of_files(
            {one.chosen.devices: one.entry for one in written},
            {device: decision.reason for device, decision in without.items()},
            **told,
        )
    (release / MANIFEST).write_bytes(canonical_json(manifest))
    sections = _sections(manifest, written)
    variants = dict.fromkeys(str(one.entry["variant"]) for one in written)
    title = f"{name}: {', '.join(variants)}"
    (release / CARD).write_text(markdown(title, lead_of(manifest), sections))
    html = card_page(
        manifest, first.chosen.decision, sections, reference[1], first.answers, heading=title
    )
    (release / CARD_PAGE).write_text(html)
    page.write_text(html)
    _write_report(report, manifest, written, without)


def _write_file(
    chosen: ChosenFile,
    file: str,
    release: Path,
    reference: tuple[Any, Answers | None],
    sealed_teacher: Path,
    *,
    budget: DropBudget,
    framing: Framing,
    resampling: Resampling,
) -> _Written:
    """Write one model file with what a microcontroller takes of it, and return all about it."""
    info = LiteModelInfo.read(chosen.winner)
    budgets = replace(chosen.decision.budgets, metric=budget.metric, drop=budget.drop)
    winner = read_evaluated(chosen.sealed)
    result = SealedResult.of(winner, reference, metric=budget.metric, resampling=resampling)
    shutil.copyfile(chosen.winner / MODEL_FILE, release / file)
    firmware = [
        write_released(kept, release, device, info.sha256)
        for folder in chosen.decided
        for device, kept in kept_firmware(folder).items()
    ]
    entry = file_entry(
        info,
        chosen.decision,
        result,
        file=file,
        budgets=budgets,
        framing=framing,
        confidence=resampling.confidence,
        lineage=chosen.lineage(sealed_teacher),
        firmware=firmware,
    )
    return _Written(chosen, entry, result, budgets, winner[1])


def _sections(manifest: Mapping[str, Any], written: Sequence[_Written]) -> list[CardSection]:
    cards = [
        card_sections({**manifest, **entry}, one.chosen.decision, one.result)
        for entry, one in zip(files_in(manifest), written, strict=True)
    ]
    return card_of_files(manifest, cards)


def _write_report(
    report: Path,
    manifest: Mapping[str, Any],
    written: Sequence[_Written],
    without: Mapping[str, Decision],
) -> None:
    """Write the leaderboard: of all devices together, with the file that each one takes."""
    first = written[0]
    material = ReportMaterial.read(first.chosen.decided[0])
    verdict = _verdict(first.entry, first.result, first.chosen.decision)
    if not first.chosen.devices:
        report.write_text(leaderboard_page(first.chosen.decision, material, verdict))
        return
    decisions = {device: one for file in written for device, one in file.chosen.decisions.items()}
    rows = [DeviceFileRow.of(entry) for entry in manifest["files"]]
    rows += [DeviceFileRow.without(device, one.reason) for device, one in without.items()]
    decision = joined({**decisions, **without})
    whole = replace(verdict, qualified=manifest["qualified"], reasons=tuple(manifest["reasons"]))
    report.write_text(leaderboard_page(decision, material, whole, files=rows))


def _verdict(entry: Mapping[str, Any], result: SealedResult, made: Decision) -> SealedVerdict:
    """Return what the report says at its top: what the manifest says, and what can be done."""
    units, unit = judged_by(result.reference)
    qualified = entry["qualified"]
    return SealedVerdict(
        qualified=qualified,
        reasons=tuple(entry["reasons"]),
        drop=result.drop,
        metric=result.winner.metrics.get(made.metric),
        images=result.reference.n_images,
        next_step=None if qualified else sealed_next_step(result.drop, made, units, unit),
    )


def write_empty(decision: Decision, decided: Path, release: Path, page: Path, report: Path) -> None:
    """Write the empty release of a choice that nobody won, with the nearest misses.

    Args:
        decision: Why nobody won; of all devices together, where each has its own.
        decided: Folder of the decision, or of the first.
        release: Folder to write ``none.json`` to.
        page: File to write the page to.
        report: File to write the report to.
    """
    release.mkdir(parents=True, exist_ok=True)
    misses = [asdict(miss) for miss in decision.near_misses]
    content = {
        "winner": None,
        "reason": decision.reason,
        "near_misses": misses,
        "next_steps": decision.next_steps,
    }
    (release / NOTHING).write_bytes(canonical_json(content))
    page.write_text(empty_page(decision))
    report.write_text(leaderboard_page(decision, ReportMaterial.read(decided)))
