"""Requests that the API server refuses, tasks that fail."""

from __future__ import annotations

CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 503: 14}
"""HTTP status to gRPC code, as grpc-gateway maps them."""


class RefusedError(Exception):
    """The request fails.

    Args:
        status: HTTP status.
        message: What the server says.
        detail: What stands among the details; nothing is the message once more.
        code: gRPC code; nothing is the one that the status usually stands for.
    """

    def __init__(
        self, status: int, message: str, detail: str = "", code: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail or message
        self.code = CODES[status] if code is None else code


class TaskFailedError(Exception):
    """The launcher or the driver gave up; the message says what about.

    Whatever the step exits with, the pod exits with 1.
    """
