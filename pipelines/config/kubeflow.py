"""The section `kubeflow` of a configuration: where on a cluster the graph runs, and on what."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from components.contract.types import ImageName, NonNegativeInt, PositiveFloat, PositiveInt
from pipelines.config.faults import custom, matching
from pipelines.config.kubeflow_auth import Auth
from pipelines.config.kubeflow_devices import KEYS, DevicesHost
from pipelines.config.kubeflow_workspace import MOUNT, Workspace
from pipelines.config.section import Section, as_tuple
from pipelines.config.sections import ComponentName
from pipelines.config.vertex import Vertex
from pipelines.images.building import IMAGES, REGISTRY

SCHEMES = ("gs", "s3", "minio")
"""Object storage that the launcher of Kubeflow Pipelines reads and writes."""

WORKFLOW_BYTES = 1_048_576
"""Largest Workflow that Argo keeps by itself (workflow/packer, MAX_WORKFLOW_SIZE)."""

_RESERVED_VOLUMES = frozenset(
    {
        "kfp-launcher", "gcs-scratch", "s3-scratch", "minio-scratch", "dot-local-scratch",
        "dot-cache-scratch", "dot-config-scratch", "ca-secret", "ca-configmap", "kfp-workspace",
    }
)  # fmt: skip
"""Volumes of every pod of Kubeflow Pipelines; the volume of a secret has the secret's name."""

_RESERVED_PATHS = (
    "/gcs", "/s3", "/minio", "/kfp-launcher", "/kfp-workspace", "/.local", "/.cache", "/.config",
    "/proc", "/sys", "/dev",
)  # fmt: skip
"""Folders of a pod that Kubeflow Pipelines or the system uses itself."""

_HIDING = ("/", "/tmp", "/usr", "/etc", "/bin", "/lib", "/opt", "/var", "/home", "/root")  # noqa: S108
"""Folders below which a secret may lie, but in whose place it would hide what pods need."""

_VOLUME_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_ROOT = re.compile(rf"({'|'.join(SCHEMES)})://[A-Za-z0-9][A-Za-z0-9._-]*(/[^?#\s]*)?")
_PUSH = "slimline images push REGISTRY prints the names with their digests"


def _root(value: str) -> str:
    if not _ROOT.fullmatch(value):
        raise custom(
            f"{value!r} is no place that pods can write to: expected "
            f"{', '.join(f'{scheme}://bucket/prefix' for scheme in SCHEMES)}",
            "write pipeline_root: gs://BUCKET/pipelines",
        )
    return value.rstrip("/")


def _registry(value: str) -> str:
    if not REGISTRY.fullmatch(value):
        raise custom(
            f"{value!r} is no registry prefix, such as europe-docker.pkg.dev/me/mine",
            f"give the REGISTRY of `slimline images push`, or the name of each image; {_PUSH}",
        )
    return value.rstrip("/")


def _kind_of_images(value: object) -> str:
    return "<registry>" if isinstance(value, str) else "<names>"


_reference = matching(
    re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}"),
    "{!r} has no digest: a tag may mean another image tomorrow, and a pod cannot pull what only "
    "this machine has",
    f"write REPOSITORY@sha256:...; {_PUSH}",
)
_resource_name = matching(
    re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"),
    "{!r} is no name of a Kubernetes resource",
    "give the name that kubectl shows: lower-case letters, digits, hyphens and points",
)
_variable = matching(
    re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "{!r} is no name of an environment variable",
    "letters, digits and underscores, no digit first",
)


def _mount_point(value: str) -> str:
    if not value.startswith("/"):
        raise custom(f"{value!r} is no absolute path", f"write /{value}")
    path = posixpath.normpath(value)
    for taken in _RESERVED_PATHS:
        if path in (*_HIDING, taken) or path.startswith(f"{taken}/"):
            raise custom(
                f"{value!r} would hide what pods need there",
                "give a folder of its own, such as /etc/secrets",
            )
    return path


_address = matching(
    re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?"),
    "{!r} is no address of a server as browsers know it",
    "write it as service: https://slimline.example.com, without a path",
)

ResourceName = Annotated[str, AfterValidator(_resource_name)]
Variable = Annotated[str, AfterValidator(_variable)]
_References: TypeAlias = Mapping[ImageName, Annotated[str, AfterValidator(_reference)]]
# Tags in angle brackets are left out of the places that errors name.
Images: TypeAlias = Annotated[
    Annotated[str, AfterValidator(_registry), Tag("<registry>")]
    | Annotated[_References, Tag("<names>")],
    Discriminator(_kind_of_images),
]


class Toleration(Section):
    """A taint of nodes that pods of a component may run on all the same."""

    key: str | None = Field(default=None, description="the taint's key; without it every taint")
    operator: Literal["Exists", "Equal"] = Field(
        default="Exists", description="`Equal` also compares the value"
    )
    value: str | None = Field(default=None, description="the taint's value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="the taint's effect; without it every effect"
    )

    @model_validator(mode="after")
    def _fits(self) -> Toleration:
        if (self.operator == "Equal") != (self.value is not None):
            raise custom(
                f"operator {self.operator} {'needs' if self.value is None else 'takes no'} value",
                "operator: Equal goes with a value, operator: Exists without one",
            )
        return self


class Resources(Section):
    """What the pods of a component ask for; what is not given follows from the step."""

    cpu: PositiveFloat | None = Field(default=None, description="cores; without it its threads")
    memory_gb: PositiveFloat | None = Field(
        default=None, description="1e9 bytes; without it its `limits`"
    )
    minutes: PositiveFloat | None = Field(
        default=None, description="life of a pod; without it its `limits` and ten minutes more"
    )
    accelerator: str | None = Field(
        default=None,
        min_length=1,
        description="what the cluster calls the GPU that `limits` ask for; without it "
        "`nvidia.com/gpu`, and Vertex AI calls it `NVIDIA_L4`, for example",
    )
    accelerators: PositiveInt = Field(default=1, description="how many of them")
    node_selector: Mapping[str, str] = Field(
        default_factory=dict[str, str], description="labels that the node must have"
    )
    tolerations: Annotated[tuple[Toleration, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="taints of nodes to run on all the same"
    )


class Secret(Section):
    """A Kubernetes secret that every pod sees, as variables, as files, or both."""

    name: ResourceName = Field(description="of the secret")
    variables: Mapping[str, Variable] = Field(
        default_factory=dict[str, str],
        description="by key of the secret the environment variable that holds it",
    )
    path: Annotated[str, AfterValidator(_mount_point)] | None = Field(
        default=None, description="folder where its keys lie as files"
    )

    @model_validator(mode="after")
    def _used(self) -> Secret:
        if not self.variables and self.path is None:
            raise custom(
                f"nothing says how pods see the secret {self.name!r}",
                "add variables: {KEY: VARIABLE}, or path: /folder",
            )
        # Its name becomes that of a volume, which takes less than that of a secret.
        if self.path and (not _VOLUME_NAME.fullmatch(self.name) or self.name in _RESERVED_VOLUMES):
            raise custom(
                f"the secret {self.name!r} cannot be mounted: Kubeflow Pipelines calls the volume "
                "as the secret, and a volume takes 63 lower-case letters, digits and hyphens, and "
                "no name that it has already",
                "copy it to one with such a name: kubectl get secret "
                f"{self.name} -o yaml | sed 's/name: {self.name}/name: NAME/' | kubectl apply -f -",
                key="name",
            )
        return self


class Kubeflow(Section):
    """Where the graph runs under `--engine kubeflow`, and on what."""

    pipeline_root: Annotated[str, AfterValidator(_root)] = Field(
        description="bucket and prefix where the artifacts of all runs are kept: "
        "`gs://bucket/prefix`, `s3://bucket/prefix` or `minio://bucket/prefix`"
    )
    images: Images = Field(
        description="the registry that `slimline images push` was given, or by image its "
        "`repository@sha256:...`; `train-gpu` where `limits` ask for a GPU"
    )
    service_account: ResourceName | None = Field(
        default=None, description="Kubernetes service account of the pods"
    )
    service: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None,
        description="address of `slimline serve` as browsers know it, which runs and pages in the "
        "cluster's own interface refer to",
    )
    vertex: Vertex | None = Field(
        default=None, description="where `--engine vertex` runs it: project and region"
    )
    auth: Auth | None = Field(
        default=None, description="what tells the server, or the proxy before it, who asks"
    )
    retries: NonNegativeInt = Field(
        default=2,
        description="how often a run that failed is tried again in all, by `run` and by "
        "`sync --retry`; servers before 2.17 also try its steps so often",
    )
    backoff_s: PositiveInt = Field(
        default=60, description="seconds before the first retry; each further wait is twice as long"
    )
    cache: bool = Field(
        default=True,
        description="whether the cluster may take results of earlier runs; `select` and `publish` "
        "always run",
    )
    workflow_bytes: Annotated[int, Field(ge=WORKFLOW_BYTES)] | None = Field(
        default=None,
        description="largest Workflow that the cluster keeps, where Argo offloads the status of "
        "nodes to a database; without it Argo's own limit",
    )
    environment: Mapping[Variable, str] = Field(
        default_factory=dict[str, str], description="environment variables of every pod"
    )
    secrets: Annotated[tuple[Secret, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="secrets that every pod sees"
    )
    image_pull_secrets: Annotated[tuple[ResourceName, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="secrets that the images are pulled with"
    )
    resources: Mapping[ComponentName, Resources] = Field(
        default_factory=dict[str, Resources], description="by component what its pods ask for"
    )

    workspace: Workspace | None = Field(
        default=None,
        description="a volume that holds the Dataset for all steps; without it each pod fetches "
        "its own copy from the bucket",
    )
    devices: DevicesHost | None = Field(
        default=None,
        description="the machine that holds the boards and phones of the list `devices`, and the "
        "secret that pods reach it with",
    )

    @model_validator(mode="after")
    def _complete(self) -> Kubeflow:
        if not isinstance(self.images, str):
            missing = [image for image in IMAGES if image not in self.images]
            if missing:
                raise custom(
                    f"there is no image {missing[0]!r}: {', '.join(IMAGES)} are needed",
                    f"add it; {_PUSH}",
                    key="images",
                )
        return self

    @model_validator(mode="after")
    def _mounted_once(self) -> Kubeflow:
        mounted = [secret for secret in self.secrets if secret.path]
        claim = self.workspace and self.workspace.claim
        claims, own_paths = ([claim], [MOUNT]) if claim else ([], [])
        if self.devices:
            claims = [*claims, self.devices.secret]
            own_paths = [*own_paths, f"{KEYS}/{self.devices.secret}"]
            if self.devices.secret in _RESERVED_VOLUMES:
                what = f"the secret {self.devices.secret!r} has the name of a volume of Kubeflow's"
                raise custom(f"{what} own", "make a secret with another name", key="devices")
        if claim in _RESERVED_VOLUMES:
            what = f"the claim {claim!r} has the name of a volume of Kubeflow's own"
            raise custom(what, "make a claim with another name", key="workspace")
        for what, values in (
            ("the volume", [*(secret.name for secret in mounted), *claims]),
            ("the folder", [*(secret.path or "" for secret in mounted), *own_paths]),
        ):
            twice = next((one for one in values if values.count(one) > 1), None)
            if twice is not None:
                raise custom(
                    f"{what} {twice!r} is mounted twice: no pod starts with that",
                    "name each secret once, each with a path of its own; more variables of one "
                    "secret go into its variables",
                    key="secrets",
                )
        names = [variable for secret in self.secrets for variable in secret.variables.values()]
        names += list(self.environment)
        double = next((one for one in names if names.count(one) > 1), None)
        if double is not None:
            raise custom(
                f"the environment variable {double!r} is given twice",
                "give each variable once, under environment or under a secret's variables",
                key="secrets",
            )
        return self
