"""ChosenFile: the model files of a release, each with the devices that take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.artifacts.decision import Decision
from components.contract.tree import tree_of
from components.selection.joined_decision import joined


@dataclass(frozen=True)
class ChosenFile:
    """A model file that won, on one device or on several.

    Attributes:
        devices: That take it; empty where there is one choice for every device.
        decisions: How it won, by device; by an empty name where there is one choice for all.
        decided: Folders of the decisions.
        winner: Folder of the LiteModel.
        sealed: Its report on the sealed images.
    """

    devices: tuple[str, ...]
    decisions: Mapping[str, Decision]
    decided: tuple[Path, ...]
    winner: Path
    sealed: Path

    @property
    def decision(self) -> Decision:
        """How it won, of its devices together."""
        return joined(self.decisions)

    def lineage(self, sealed_teacher: Path) -> dict[str, str]:
        """Return tree digests by role, as far as they can be known here."""
        return {
            "LiteModel": tree_of(self.winner).digest,
            "decision": tree_of(self.decided[0]).digest,
            "sealed evaluation": tree_of(self.sealed).digest,
            "sealed evaluation of the reference": tree_of(sealed_teacher).digest,
        }


def chosen_files(
    winners: Sequence[Path],
    decided: Sequence[Path],
    decisions: Sequence[Decision],
    sealed: Sequence[Path],
    devices: Sequence[str],
) -> list[ChosenFile]:
    """Return the files that won, equal ones once, in the order of their first devices.

    Args:
        winners: LiteModels, one a choice.
        decided: Folders of the decisions.
        decisions: What these say.
        sealed: Reports of the winners on the sealed images.
        devices: Names, one a choice; empty where there is one choice for every device.
    """
    together: dict[str, list[int]] = {}
    for place, decision in enumerate(decisions):
        if decision.winner is not None:
            sha256 = decision.variant(decision.winner).sha256
            assert sha256, "a winner has a file"
            together.setdefault(sha256, []).append(place)
    files: list[ChosenFile] = []
    for places in together.values():
        named = tuple(devices[place] for place in places) if devices else ()
        files.append(
            ChosenFile(
                devices=named,
                decisions={devices[place] if devices else "": decisions[place] for place in places},
                decided=tuple(decided[place] for place in places),
                winner=winners[places[0]],
                sealed=sealed[places[0]],
            )
        )
    return files
