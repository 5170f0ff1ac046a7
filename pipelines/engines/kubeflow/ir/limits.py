"""What a server can hold of a graph: refused before anything is sent, with what would fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from components.contract.errors import UserError
from pipelines.config.kubeflow import WORKFLOW_BYTES
from pipelines.engines.kubeflow.ir.compiling import Compiled
from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.engines.kubeflow.ir.servers import NEWEST, OLDEST, ServerVersion
from pipelines.engines.kubeflow.ir.sizes.back_end import BACK_ENDS, back_end_of
from pipelines.engines.kubeflow.ir.sizes.measuring import Sizes, sizes_of

ARGUMENT_BYTES = 131_071
"""Longest single argument of a process under Linux: 32 pages, less the closing zero."""

VARIABLE_BYTES = ARGUMENT_BYTES - len("ARGO_TEMPLATE=")
"""Longest value of that variable, which is an argument with its name before it."""

NODE_CHARACTERS = 128
"""Longest name of a task or of a template to Argo, with what stands behind the step's."""

_RESERVE = 0.03
"""Share of a Workflow that stays free: every attempt that fails leaves a node behind, which takes
about 500 bytes, so there is room for sixty of them."""

_SAFE = 0.95
"""Share of the steps that fit by proportion: what does not grow with them takes room as well."""

_DRIVER, _TEMPLATE = "-driver", "-system-container-executor"


@dataclass(frozen=True)
class Excess:
    """One limit that a graph is beyond.

    Attributes:
        what: What is too large, for people.
        bytes: How large it is.
        limit: How large it may be.
        sizes: All sizes, with the version that they are of.
    """

    what: str
    bytes: int
    limit: int
    sizes: Sizes

    @property
    def steps_that_fit(self) -> int:
        """About how many steps a graph of this kind may have, rather too few than too many."""
        return int(_SAFE * self.sizes.steps * self.limit / self.bytes)


def measured(compiled: Compiled, version: ServerVersion | None) -> tuple[Sizes, ...]:
    """Return the sizes of a pipeline on a version, or on each that differs where none is known."""
    versions = [version] if version else [one.since for one in BACK_ENDS]
    return tuple(sizes_of(compiled.spec, compiled.platform, one) for one in versions)


def workflow_limit(workflow_bytes: int | None) -> int:
    """Return how large a Workflow may become: some of it stays free for attempts that fail.

    Args:
        workflow_bytes: Largest Workflow of the cluster; None: that of Argo by itself.
    """
    return int((workflow_bytes or WORKFLOW_BYTES) * (1 - _RESERVE))


def excesses(each: Iterable[Sizes], *, workflow_bytes: int | None = None) -> Iterator[Excess]:
    """Yield each limit that a pipeline is beyond.

    Args:
        each: What ``measured`` returned.
        workflow_bytes: Largest Workflow of this cluster; None: that of Argo by itself.
    """
    whole = workflow_limit(workflow_bytes)
    for sizes in each:
        back_end = back_end_of(sizes.version)
        limits = [
            ("the Workflow at its end", sizes.workflow_bytes, whole),
            (f"what {sizes.input_step} is told", sizes.input_bytes, ARGUMENT_BYTES),
        ]
        if back_end.root_in_argument:
            limits.append(
                ("the graph as its driver is told of it", sizes.root_bytes, ARGUMENT_BYTES)
            )
        if back_end.template_in_variable:
            limits.append(("the largest template of a pod", sizes.template_bytes, VARIABLE_BYTES))
        for what, size, limit in limits:
            if size > limit:
                yield Excess(what, size, limit, sizes)


def fault(
    compiled: Compiled, version: ServerVersion | None, *, workflow_bytes: int | None = None
) -> UserError | None:
    """Return why a server cannot hold a pipeline, or None where it can.

    Args:
        compiled: The pipeline.
        version: Of the server; None: the strictest limit of all versions counts.
        workflow_bytes: See ``excesses``.
    """
    each = measured(compiled, version)
    return fault_of(compiled.name, each, workflow_bytes=workflow_bytes)


def fault_of(
    pipeline: str, each: Sequence[Sizes], *, workflow_bytes: int | None = None
) -> UserError | None:
    """Return why a server cannot hold a pipeline whose sizes are known, or None where it can.

    Args:
        pipeline: Its name.
        each: What ``measured`` returned; of several versions where none is known.
        workflow_bytes: See ``excesses``.
    """
    found = list(excesses(each, workflow_bytes=workflow_bytes))
    if not found:
        return None
    worst = max(found, key=lambda one: one.bytes / one.limit)
    any_version = len(each) > 1
    where = f"Kubeflow Pipelines {worst.sizes.version}"
    fix = (
        f"compare fewer variants or devices in one configuration: about {worst.steps_that_fit} "
        f"steps of this kind fit, and there are {worst.sizes.steps}"
    )
    if any_version:
        where = f"{where}, the strictest of all"
        fix = f"{fix}; or say which version the cluster has: --kfp VERSION"
    if worst.bytes == worst.sizes.workflow_bytes:
        fix = (
            f"{fix}; where Argo keeps the status of nodes in a database (nodeStatusOffLoad), say "
            "how large a Workflow may be there: kubeflow: {workflow_bytes: 4000000}"
        )
    return UserError(
        f"{pipeline} is too large for {where}: {worst.what} takes {worst.bytes:,} bytes of at most "
        f"{worst.limit:,}",
        fix,
    )


def check(
    compiled: Compiled, version: ServerVersion | None, *, workflow_bytes: int | None = None
) -> None:
    """Refuse a pipeline that a server cannot hold.

    Args:
        compiled: See ``fault``.
        version: See ``fault``.
        workflow_bytes: See ``fault``.

    Raises:
        UserError: It is too large, or Argo refuses the name of a task.
    """
    check_names(compiled.spec["root"]["dag"]["tasks"], version)
    if found := fault(compiled, version, workflow_bytes=workflow_bytes):
        raise found


def check_inputs(compiled: Compiled) -> None:
    """Refuse a pipeline with a step that is told more than one argument can hold, on any platform.

    Raises:
        UserError: There is one.
    """
    (sizes,) = measured(compiled, NEWEST)
    if sizes.input_bytes > ARGUMENT_BYTES:
        raise UserError(
            f"{sizes.input_step} takes too many artifacts and parameters: it is told "
            f"{sizes.input_bytes:,} bytes, and no argument of a process takes above "
            f"{ARGUMENT_BYTES:,}",
            "compare fewer variants or devices in one configuration, or shorten pipeline_root and "
            "the variants' names",
        )


def check_names(tasks: Mapping[str, Json], version: ServerVersion | None) -> None:
    """Refuse names of tasks that Argo refuses.

    Each step also has a task for its driver, and to 2.5 templates of its own if it is tried again.

    Args:
        tasks: By name the tasks of the pipeline.
        version: Of the server; None: what is refused by any version.

    Raises:
        UserError: Two nodes would have one name, or a name is too long.
    """
    oldest = back_end_of(version or OLDEST)
    for name, task in sorted(tasks.items()):
        if (longer := f"{name}{_DRIVER}") in tasks:
            raise UserError(
                f"the steps {name} and {longer} cannot be in one run on Kubeflow: the driver of "
                f"the first is called {longer}, too",
                f"give the variant behind {longer} a name that does not end in {_DRIVER}",
            )
        templates = oldest.templates_of_tasks and "retryPolicy" in task
        most = NODE_CHARACTERS - len(_TEMPLATE if templates else _DRIVER)
        if len(name) > most:
            raise UserError(
                f"the step {name} has a name of {len(name)} characters, and Argo takes {most}",
                f"shorten the name of its variant by {len(name) - most} characters",
            )
