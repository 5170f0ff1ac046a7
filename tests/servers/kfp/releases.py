"""How versions of Kubeflow Pipelines differ, as far as a client or a component notices.

Seen on the real servers, with each version's own default configuration, unless a line says "read".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """One version.

    Attributes:
        version: Of Kubeflow Pipelines.
        argo: Version of Argo Workflows that it comes with.
        error_key: Replies of refused requests repeat their message under ``error``.
        names: Pipelines and versions have a ``name`` beside their ``display_name``.
        plugins: Runs have ``plugins_output``.
        says_store: ``healthz`` says where pipelines are kept.
        retries_every_template: The default configuration lets Argo run again whatever is an Error,
            twice; every node then has a node of type Retry above it, and a step that fails is not
            run again, whatever its own policy says.
        keeps_history: ``state_history`` holds what was before ``:retry``, too.
        templates_per_task: Tasks with a retry policy have Argo templates of their own.
        numbered_logs: ``executor-logs-N``, N counting attempts, in place of ``executor-logs``.
        logs_of_failures: What a step printed is uploaded after a failure, too.
        output_file_in_root: ``outputFile`` lies in the task's folder of the pipeline root.
        named_outputs: Artifacts among the outputs carry their output's name.
        downloads_whole_lists: All artifacts of a list are downloaded, not the first alone.
        download_takes_siblings: ``DownloadBlob`` takes all that begins like the address.
        spaced_json: The driver writes a space behind each comma of its messages.
        argument_bytes: The most that the arguments of one container may take, as one text
            (``MAX_ARG_STRLEN``).
        root_as_argument: The driver of the root is given the whole root graph as one argument.
        template_in_environment: Argo puts a pod's template into one environment variable, whatever
            its size.
    """

    version: str
    argo: str
    error_key: bool = False
    names: bool = True
    plugins: bool = False
    says_store: bool = True
    retries_every_template: bool = False
    keeps_history: bool = True
    templates_per_task: bool = False
    numbered_logs: bool = False
    logs_of_failures: bool = False
    output_file_in_root: bool = False
    named_outputs: bool = False
    downloads_whole_lists: bool = True
    download_takes_siblings: bool = True
    spaced_json: bool = False
    argument_bytes: int = 131_072
    root_as_argument: bool = True
    template_in_environment: bool = False

    def logs_name(self, attempt: int) -> str:
        """Return the name of the object that holds what an attempt printed."""
        return f"executor-logs-{attempt}" if self.numbered_logs else "executor-logs"


RELEASES = {
    release.version: release
    for release in (
        Release(
            "2.5.0", "3.5.14",
            error_key=True, names=False, says_store=False, keeps_history=False,
            templates_per_task=True, downloads_whole_lists=False, template_in_environment=True,
        ),
        Release("2.14.0", "3.6.7"),
        Release(
            "2.16.1", "3.7.3",
            numbered_logs=True, logs_of_failures=True, output_file_in_root=True, named_outputs=True, spaced_json=True,
        ),
        Release(
            "2.17.0", "4.0.5",
            plugins=True, retries_every_template=True, numbered_logs=True, logs_of_failures=True,
            output_file_in_root=True, named_outputs=True, spaced_json=True, download_takes_siblings=False, root_as_argument=False,
        ),
    )
}  # fmt: skip

VERSIONS = tuple(RELEASES)
NEWEST = VERSIONS[-1]
