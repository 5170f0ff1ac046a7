"""Writing: the files of a release, written from what select and the sealed evaluations say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts.about import About
from components.artifacts.budgets import Budgets, DropBudget
from components.artifacts.decision import Decision
from components.artifacts.empty import FILE as NOTHING
from components.artifacts.framing import Framing
from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.qualification import MANIFEST
from components.artifacts.report_material import ReportMaterial
from components.contract.digests import canonical_json
from components.contract.tree import tree_of
from components.measure.paired import read_evaluated
from components.pages.blocks import markdown
from components.pages.leaderboard import leaderboard_page
from components.pages.model_card import card_page, card_sections, empty_page, lead_of
from components.pages.outcome import SealedVerdict
from components.release.manifest import manifest_of
from components.selection.deciding import judged_by
from components.selection.next_steps import sealed_next_step
from components.selection.sealed import SealedResult
from components.statistics.resampling import Resampling

CARD, CARD_PAGE = "card.md", "card.html"


@dataclass(frozen=True)
class Parts:
    """Folders of what goes into a release."""

    winner: Path
    decision: Path
    sealed: Path
    sealed_teacher: Path

    @property
    def lineage(self) -> dict[str, str]:
        """Tree digests by role, as far as they can be known here."""
        return {
            "LiteModel": tree_of(self.winner).digest,
            "decision": tree_of(self.decision).digest,
            "sealed evaluation": tree_of(self.sealed).digest,
            "sealed evaluation of the reference": tree_of(self.sealed_teacher).digest,
        }


def write(
    parts: Parts,
    decision: Decision,
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
    """Write the release of a winner.

    Args:
        parts: What goes in.
        decision: How it won.
        release: Folder to write.
        page: File to write the card to, as one page.
        report: File to write the report to.
        name: Of the release.
        budget: What the sealed drop must keep to.
        framing: How an app brings images to the size of the model.
        resampling: How its interval is made.
        about: Who answers for it and what it is for.

    Raises:
        UserError: An input is not what it should be, or the task has no such metric.
    """
    info = LiteModelInfo.read(parts.winner)
    budgets = replace(decision.budgets, metric=budget.metric, drop=budget.drop)
    winner, reference = read_evaluated(parts.sealed), read_evaluated(parts.sealed_teacher)
    result = SealedResult.of(winner, reference, metric=budget.metric, resampling=resampling)
    manifest = manifest_of(
        info,
        decision,
        result,
        name=name,
        budgets=budgets,
        framing=framing,
        confidence=resampling.confidence,
        lineage=parts.lineage,
        about=about,
    )
    release.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(parts.winner / MODEL_FILE, release / MODEL_FILE)
    (release / MANIFEST).write_bytes(canonical_json(manifest))
    sections = card_sections(manifest, decision, result)
    (release / CARD).write_text(markdown(f"{name}: {decision.winner}", lead_of(manifest), sections))
    html = card_page(manifest, decision, sections, reference[1], winner[1])
    (release / CARD_PAGE).write_text(html)
    page.write_text(html)
    material = ReportMaterial.read(parts.decision)
    report.write_text(leaderboard_page(decision, material, _verdict(manifest, result, budgets)))


def _verdict(manifest: Mapping[str, Any], result: SealedResult, budgets: Budgets) -> SealedVerdict:
    """Return what the report says at its top: what the manifest says, and what can be done."""
    units, unit = judged_by(result.reference)
    qualified = manifest["qualified"]
    return SealedVerdict(
        qualified=qualified,
        reasons=tuple(manifest["reasons"]),
        drop=result.drop,
        metric=result.winner.metrics.get(budgets.metric),
        images=result.reference.n_images,
        next_step=None if qualified else sealed_next_step(result.drop, budgets.drop, units, unit),
    )


def write_empty(decision: Decision, decided: Path, release: Path, page: Path, report: Path) -> None:
    """Write the empty release of a choice that nobody won, with the nearest misses.

    Args:
        decision: Why nobody won.
        decided: Folder of the decision.
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
