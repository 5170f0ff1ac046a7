"""A Docker Engine for tests, as far as it has to be refused, silent or gone: it runs nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from components.contract.types import ImageName
from pipelines.images.building import (
    ENVIRONMENT_LABEL,
    IMAGES,
    SOURCE_LABEL,
    image_environment,
    image_name,
    source_digest,
)
from tests.servers.web import Reply, web_server

_VERSION = {"ApiVersion": "1.44", "Version": "27"}


def refused(status: int, message: str) -> Reply:
    """An error as the Docker Engine sends it."""
    return Reply.of({"message": message}, status)


def lines(*parts: object, cut: bool = False) -> Reply:
    """What a build or a push says on the way; ``cut``: and then the Docker Engine is gone."""
    body = "".join(f"{json.dumps(part)}\r\n" for part in parts).encode()
    return Reply(body=body, streamed=True, cut=cut)


def built(image: ImageName) -> Reply:
    """The image that holds the code at hand."""
    labels = {SOURCE_LABEL: source_digest(image), ENVIRONMENT_LABEL: image_environment(image)}
    return Reply.of(
        {
            "Id": f"sha256:{source_digest(image)}",
            "Size": 300_000_000,
            "RepoTags": [image_name(image)],
            "RepoDigests": [],
            "Config": {"Labels": labels},
        }
    )


def all_built() -> dict[str, Reply]:
    """Answers of a Docker Engine that has all images."""
    return {f"GET /images/{image_name(image)}/json": built(image) for image in IMAGES}


@contextmanager
def docker_engine(answers: Mapping[str, Reply]) -> Iterator[str]:
    """Serve until the block ends.

    Args:
        answers: By verb and path, without version and query; everything else is not found.

    Yields:
        What ``DOCKER_HOST`` has to be.
    """
    known = {"GET /version": Reply.of(_VERSION), "GET /_ping": Reply(body=b"OK"), **answers}

    def answer(verb: str, target: str) -> Reply:
        path = re.sub(r"^/v[0-9.]+", "", target.partition("?")[0])
        return known.get(f"{verb} {path}") or refused(404, f"No such image: {path}")

    with web_server(answer) as address:
        yield f"tcp://{address}"
