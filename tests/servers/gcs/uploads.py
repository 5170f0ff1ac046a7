"""Uploads by the JSON API: in one request, in parts with the resource, resumable."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.servers.gcs.messages import Request
from tests.servers.gcs.storage import RefusedError, Storage
from tests.servers.serving import Answer

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


def upload(storage: Storage, request: Request, bucket: str) -> Answer:
    query = request.query
    if "upload_id" in query:
        return _resume(storage, request, query["upload_id"])
    kind = query.get("uploadType")
    if kind == "media":
        resource = {"contentType": request.headers.get("content-type")}
        data = request.content(request.body)
        return Answer.of(storage.write(bucket, query["name"], data, query, resource).resource())
    if kind == "multipart":
        resource, data = _parts(request)
        name = resource.get("name") or query["name"]
        return Answer.of(storage.write(bucket, name, data, query, resource).resource())
    resource = request.json()
    resource.setdefault("contentType", request.headers.get("x-upload-content-type"))
    name = resource.get("name") or query["name"]
    identifier = storage.begin_upload(bucket, name, query, resource)
    place = f"http://{request.headers['host']}{request.path}"
    location = f"{place}?uploadType=resumable&upload_id={identifier}"
    return Answer(200, b"", (("Location", location), ("X-GUploader-UploadID", identifier)))


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """Split a multipart/related body into the resource and the content."""
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if not found:
        raise RefusedError(400, "Malformed multipart body: no boundary")
    boundary = b"--" + found[1].encode()
    _, first, second = request.body.split(boundary, 2)
    resource = json.loads(first.partition(b"\r\n\r\n")[2])
    head, _, rest = second.partition(b"\r\n\r\n")
    end = rest.rfind(b"\r\n" + boundary + b"--")
    if end < 0:
        raise RefusedError(400, "Malformed multipart body: no end")
    types = re.findall(rb"(?i)content-type:\s*([^\r\n]+)", head)
    resource.setdefault("contentType", types[0].decode() if types else None)
    return resource, request.content(rest[:end])


def _resume(storage: Storage, request: Request, identifier: str) -> Answer:
    """Take one chunk of a resumable upload, or say how far it is."""
    if request.method == "DELETE":
        storage.drop_upload(identifier)
        return Answer(499)
    upload = storage.upload(identifier)
    if upload.made:  # the answer to the last chunk was lost, and it came again
        return Answer.of(upload.made.resource())
    parsed = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", "bytes */*"))
    if not parsed:
        raise RefusedError(400, "Malformed Content-Range")
    start, total = parsed[1], parsed[3]
    if start is not None:
        ahead = int(start) - len(upload.received)
        if ahead > 0:
            raise RefusedError(503, f"{ahead} bytes before this chunk are missing")
        upload.received += (
            request.content(request.body)[-ahead:] if ahead else request.content(request.body)
        )
    if total != "*" and len(upload.received) == int(total):
        return Answer.of(storage.finish_upload(identifier, _hashes(request)).resource())
    last = len(upload.received) - 1
    return Answer(308, b"", (("Range", f"bytes=0-{last}"),) if last >= 0 else ())


def _hashes(request: Request) -> dict[str, str]:
    """Read ``X-Goog-Hash`` into the names that an object's resource has for it."""
    named = (
        item.strip().partition("=") for item in request.headers.get("x-goog-hash", "").split(",")
    )
    return {"md5Hash" if name == "md5" else name: value for name, _, value in named if value}
