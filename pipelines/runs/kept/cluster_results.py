"""What a store holds of the results of a cluster: the rest stays in the bucket it was made in.

Reports, pages and releases are imported whole. Of the rest the list of files is, and of a Dataset
also what says what became of every image: so questions about data are answered alike whichever
engine ran, and nobody downloads the images themselves.
"""

from __future__ import annotations

from typing import Final

from components.artifacts.manifest import DESCRIPTION, MANIFEST, RECORDS
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.types import Kind

KUBEFLOW: Final = "kubeflow"
ELSEWHERE: Final = (KUBEFLOW, "vertex")
"""The engines whose intermediate artifacts stay in the bucket of the cluster."""

WHOLE: Final[frozenset[Kind]] = frozenset({"Report", "Metrics", "Page", "Curve", "Release"})
"""Kinds of artifacts that are imported with all their files."""

DATASET_FILES: Final = frozenset({DESCRIPTION, MANIFEST, *RECORDS})
"""Files that are imported of a Dataset."""


def kinds_of(component: str) -> dict[str, Kind]:
    """Return the kind of every output of a component; of one that there is no more, nothing."""
    try:
        return {port.name: port.kind for port in interface_of(component).outputs}
    except UserError:
        return {}
