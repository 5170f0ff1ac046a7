"""The section `kubeflow.workspace`: the volume that holds the Dataset for all pods of a run."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipelines.config.faults import custom, matching
from pipelines.config.section import Section, as_tuple

MOUNT = "/slimline-workspace"
"""Where pods see a claim."""

_claim = matching(
    re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "the claim {!r} cannot be mounted: Kubeflow Pipelines calls the volume as the claim, and a "
    "volume takes 63 lower-case letters, digits and hyphens",
    "make a claim with such a name (kubectl get pvc lists those that there are)",
)
_class = matching(
    re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"),
    "{!r} is no storage class",
    "kubectl get storageclass lists them",
)
_quantity = matching(
    re.compile(r"[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?"),
    "{!r} is no size of a volume as Kubernetes writes it",
    "write size: 50Gi, for example",
)


class Workspace(Section):
    """A volume that holds the Dataset once for all pods that read it, instead of a copy in each."""

    claim: Annotated[str, AfterValidator(_claim)] | None = Field(
        default=None,
        description="PersistentVolumeClaim in the pods' namespace, with the access mode "
        "ReadWriteMany; it stays when runs have ended, and they share what it holds",
    )
    size: Annotated[str, AfterValidator(_quantity)] | None = Field(
        default=None,
        description="such as `50Gi`: instead of a claim, the volume that Kubeflow Pipelines 2.15 "
        "and newer makes for each run, and removes with it",
    )
    storage_class: Annotated[str, AfterValidator(_class)] | None = Field(
        default=None, description="of such a volume; without it the cluster's default"
    )
    access_modes: Annotated[
        tuple[Literal["ReadWriteMany", "ReadWriteOnce"], ...], BeforeValidator(as_tuple)
    ] = Field(
        default=("ReadWriteMany",),
        min_length=1,
        description="of such a volume; `ReadWriteOnce` is for a cluster of one node",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Workspace:
        if (self.claim is None) == (self.size is None):
            raise custom(
                "a workspace is either a claim that is there, or a volume of some size",
                "write workspace: {claim: NAME}, or workspace: {size: 50Gi}",
            )
        if self.claim and self.storage_class:
            raise custom(
                "storage_class is for a volume that Kubeflow makes, and a claim has its own",
                "remove storage_class",
                key="storage_class",
            )
        return self
