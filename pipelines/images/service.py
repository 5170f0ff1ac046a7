"""The image ``service``: what serves pages on a cluster and submits runs, without what steps need.

Its packages are named one by one, since the distribution slimline as a whole requires TensorFlow.
"""

from __future__ import annotations

from typing import Final

SERVICE: Final = "service"

SERVICE_PACKAGES = (
    "botocore",
    "cronsim",
    "google-cloud-storage",
    "jinja2",
    "kfp-server-api",
    "numpy",
    "pillow",
    "psutil",
    "pydantic",
    "pyyaml",
    "requests",
    "rich",
    "starlette",
    "uvicorn",
)
"""Pages, stores in buckets, the client of Kubeflow Pipelines, and thumbnails of images."""

DOCKERFILE = "Dockerfiles/service.Dockerfile"
COPIED = ("components", "pipelines")
"""The trees that it holds."""
