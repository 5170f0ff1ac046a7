"""Where on Vertex AI runs are: project, region and the address of the API."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from components.contract.errors import UserError
from pipelines.config.vertex import Vertex, location_name, project_name

_FIX = "--project NAME --location REGION, or kubeflow: {vertex: {project: NAME, location: REGION}}"


@dataclass(frozen=True)
class VertexPlace:
    """A project in a region.

    Attributes:
        project: Identifier of the project.
        location: Name of the region.
        host: Address of the API.
    """

    project: str
    location: str
    host: str

    @property
    def parent(self) -> str:
        """What the names of jobs begin with."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def options(self) -> str:
        """The options of a command that means the same place."""
        words = ["--engine", "vertex", "--project", self.project, "--location", self.location]
        if self.host != service_of(self.location):
            words += ["--host", self.host]
        return shlex.join(words)

    def page_of(self, job: str) -> str:
        """Return the address of a job's page in the console."""
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{self.location}/pipelines/runs/"
            f"{job}?project={self.project}"
        )


def service_of(location: str) -> str:
    """Return the address of Google's API for a region."""
    return f"https://{location}-aiplatform.googleapis.com"


def place_of(
    project: str | None, location: str | None, host: str | None, configured: Vertex | None = None
) -> VertexPlace:
    """Find out which place is meant.

    Args:
        project: As given; None takes the configuration's.
        location: As given; None takes the configuration's.
        host: Address of the API; None is Google's for that region.
        configured: The section `kubeflow.vertex`.

    Raises:
        UserError: Nothing says which project or region, or one of them can be none.
    """
    project = project or (configured and configured.project)
    location = location or (configured and configured.location)
    for what, value in (("project", project), ("region", location)):
        if not value:
            raise UserError(f"nothing says in which {what} of Google Cloud Vertex AI runs it", _FIX)
    assert project
    assert location
    for option, check, value in (
        ("--project", project_name, project),
        ("--location", location_name, location),
    ):
        try:
            check(value)
        except PydanticCustomError as error:
            context = error.context or {}
            raise UserError(f"{option}: {context['what']}", context["fix"]) from None
    return VertexPlace(project, location, (host or service_of(location)).rstrip("/"))
