"""The section `kubeflow.vertex` of a configuration: where on Vertex AI the graph runs."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pipelines.config.faults import matching
from pipelines.config.section import Section

project_name = matching(
    re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "{!r} is no identifier of a project: 6 to 30 lower-case letters, digits and hyphens, a letter "
    "first",
    "gcloud config get project prints yours",
)
"""Returns the identifier of a Google Cloud project; refuses what can be none."""

location_name = matching(
    re.compile(r"[a-z]+(-[a-z]+)+[0-9]+"),
    "{!r} is no region of Google Cloud",
    "write it like europe-west4 or us-central1",
)
"""Returns the name of a region; refuses what can be none."""

_account = matching(
    re.compile(r"[^@\s]+@[^@\s]+\.gserviceaccount\.com"),
    "{!r} is no service account of Google Cloud",
    "write its address: NAME@PROJECT.iam.gserviceaccount.com",
)


class Vertex(Section):
    """Where `--engine vertex` runs the graph."""

    project: Annotated[str, AfterValidator(project_name)] = Field(
        description="identifier of the Google Cloud project"
    )
    location: Annotated[str, AfterValidator(location_name)] = Field(
        description="region, such as `europe-west4`; the bucket and the images should lie there"
    )
    service_account: Annotated[str, AfterValidator(_account)] | None = Field(
        default=None, description="what containers run as; without it the project's default"
    )
