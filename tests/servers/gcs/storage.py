"""What a Google Cloud Storage service keeps and its rules, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import google_crc32c


class RefusedError(Exception):
    """The answer is an error of the API."""

    def __init__(self, status: int, message: str, reason: str = "invalid") -> None:
        super().__init__(status, message, reason)
        self.status = status
        self.message = message
        self.reason = reason


@dataclass(frozen=True)
class GcsObject:
    """One generation of an object. It never changes: a patch makes another."""

    bucket: str
    name: str
    data: bytes
    generation: int
    metageneration: int
    crc32c: str
    md5: str
    content_type: str
    metadata: Mapping[str, str]
    created: str
    components: int = 0
    content_encoding: str | None = None

    @property
    def hashes(self) -> str:
        """The ``X-Goog-Hash`` header; composed objects have no md5."""
        return f"crc32c={self.crc32c}" + ("" if self.components else f",md5={self.md5}")

    def resource(self) -> dict[str, Any]:
        """The object as the API shows it."""
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "contentType": self.content_type,
            "size": str(len(self.data)),
            "crc32c": self.crc32c,
            "etag": f"{self.generation}/{self.metageneration}",
            "timeCreated": self.created,
            "updated": self.created,
            "storageClass": "STANDARD",
            **({"componentCount": self.components} if self.components else {"md5Hash": self.md5}),
            **({"metadata": dict(self.metadata)} if self.metadata else {}),
            **({"contentEncoding": self.content_encoding} if self.content_encoding else {}),
        }


@dataclass
class Bucket:
    """A bucket and its live objects."""

    name: str
    objects: dict[str, GcsObject] = field(default_factory=dict)
    forbidden: bool = False
    read_only: bool = False
    requester_pays: bool = False

    def resource(self) -> dict[str, Any]:
        """The bucket as the API shows it."""
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "name": self.name,
            "projectNumber": "1",
            "metageneration": "1",
            "location": "US",
            "storageClass": "STANDARD",
        }


@dataclass
class Upload:
    """A resumable upload that has begun."""

    bucket: str
    name: str
    resource: Mapping[str, Any]
    query: Mapping[str, str]
    received: bytearray = field(default_factory=bytearray)
    made: GcsObject | None = None


class Storage:
    """Buckets, objects and unfinished uploads."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.lock = threading.RLock()
        self._uploads: dict[str, Upload] = {}
        self._generation = 0

    def make_bucket(self, name: str) -> Bucket:
        """Make a bucket, or refuse when there is one of that name."""
        with self.lock:
            if name in self.buckets:
                raise RefusedError(
                    409, "Your previous request to create the named bucket succeeded."
                )
            return self.buckets.setdefault(name, Bucket(name))

    def drop_bucket(self, name: str) -> None:
        """Remove an empty bucket."""
        with self.lock:
            if self.bucket(name).objects:
                raise RefusedError(409, "The bucket you tried to delete is not empty.", "conflict")
            del self.buckets[name]

    def bucket(self, name: str) -> Bucket:
        """Return a bucket, or refuse."""
        found = self.buckets.get(name)
        if found is None:
            raise RefusedError(404, "The specified bucket does not exist.", "notFound")
        if found.forbidden:
            raise RefusedError(
                403,
                "someone@example.com does not have storage.objects.list access to the Google "
                "Cloud Storage bucket. Permission denied on resource (or it may not exist).",
                "forbidden",
            )
        if found.requester_pays:
            raise RefusedError(
                400,
                "Bucket is a requester pays bucket but no user project provided.",
                "required",
            )
        return found

    def writable(self, name: str) -> Bucket:
        """Return a bucket that this client may write to, or refuse."""
        found = self.bucket(name)
        if found.read_only:
            raise RefusedError(
                403,
                "someone@example.com does not have storage.objects.create access to the Google "
                "Cloud Storage object. Permission denied on resource (or it may not exist).",
                "forbidden",
            )
        return found

    def live(self, bucket: str, name: str, query: Mapping[str, str]) -> GcsObject:
        """Return the object if it is there and the preconditions of ``query`` hold."""
        found = self.bucket(bucket).objects.get(name)
        wanted = query.get("generation")
        if found is None or (wanted and int(wanted) != found.generation):
            raise RefusedError(404, f"No such object: {bucket}/{name}", "notFound")
        _check(query, found)
        return found

    def write(
        self,
        bucket: str,
        name: str,
        data: bytes,
        query: Mapping[str, str],
        resource: Mapping[str, Any],
        components: int = 0,
    ) -> GcsObject:
        """Write an object if its checksums are right and the preconditions hold."""
        crc32c = encode(google_crc32c.value(data).to_bytes(4, "big"))
        md5 = encode(hashlib.md5(data, usedforsecurity=False).digest())
        for key, called, actual in (("crc32c", "CRC32C", crc32c), ("md5Hash", "MD5 hash", md5)):
            given = resource.get(key, actual)
            if given != actual:
                raise RefusedError(
                    400,
                    f"Provided {called} {given!r} doesn't match calculated {called} {actual!r}.",
                )
        with self.lock:
            objects = self.writable(bucket).objects
            _check(query, objects.get(name))
            self._generation = max(self._generation + 1, time.time_ns() // 1000)
            objects[name] = GcsObject(
                bucket=bucket,
                name=name,
                data=data,
                generation=self._generation,
                metageneration=1,
                crc32c=crc32c,
                md5=md5,
                content_type=resource.get("contentType") or "application/octet-stream",
                metadata=dict(resource.get("metadata") or {}),
                created=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                components=components,
                content_encoding=resource.get("contentEncoding"),
            )
            return objects[name]

    def patch(
        self, bucket: str, name: str, query: Mapping[str, str], changes: Mapping[str, Any]
    ) -> GcsObject:
        """Change metadata; the generation stays, the metageneration rises."""
        with self.lock:
            found = self.live(bucket, name, query)
            metadata = {**found.metadata, **(changes.get("metadata") or {})}
            made = replace(
                found,
                metageneration=found.metageneration + 1,
                metadata={key: value for key, value in metadata.items() if value is not None},
                content_type=changes.get("contentType", found.content_type),
            )
            self.bucket(bucket).objects[name] = made
            return made

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Remove an object if the preconditions hold."""
        with self.lock:
            self.live(bucket, name, query)
            del self.writable(bucket).objects[name]

    def compose(
        self,
        bucket: str,
        name: str,
        query: Mapping[str, str],
        sources: list[dict[str, Any]],
        resource: Mapping[str, Any],
    ) -> GcsObject:
        """Join objects of a bucket, each of the generation that is asked for."""
        with self.lock:
            parts = [
                self.live(
                    bucket,
                    source["name"],
                    {
                        **({"generation": g} if (g := source.get("generation")) else {}),
                        **(source.get("objectPreconditions") or {}),
                    },
                )
                for source in sources
            ]
            data = b"".join(part.data for part in parts)
            return self.write(bucket, name, data, query, resource, components=len(parts))

    def copy(
        self, source: GcsObject, bucket: str, name: str, query: Mapping[str, str]
    ) -> GcsObject:
        """Write the bytes of one object to another name."""
        resource = {"contentType": source.content_type, "metadata": source.metadata}
        return self.write(bucket, name, source.data, query, resource)

    def listing(self, bucket: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return one page of names in order, folded at the delimiter."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(int(query.get("maxResults") or "1000"), 1000)
        # Go's client sends all of these empty, which says as much as leaving them out.
        start, end = query.get("startOffset", ""), query.get("endOffset") or None
        after = decode(query["pageToken"]).decode() if query.get("pageToken") else ""
        with self.lock:
            objects = self.bucket(bucket).objects
            entries: dict[str, GcsObject | None] = {}
            for name in sorted(objects):
                if not name.startswith(prefix) or name < start or (end is not None and name >= end):
                    continue
                cut = name.find(delimiter, len(prefix)) if delimiter else -1
                entry = name if cut < 0 else name[: cut + len(delimiter)]
                if entry <= after or entry in entries:
                    continue
                if len(entries) == limit:
                    return _page(entries, next(reversed(entries)))
                entries[entry] = objects[name] if cut < 0 else None
            return _page(entries, None)

    def begin_upload(
        self, bucket: str, name: str, query: Mapping[str, str], resource: Mapping[str, Any]
    ) -> str:
        """Begin a resumable upload if its preconditions hold now; return its identifier."""
        with self.lock:
            _check(query, self.writable(bucket).objects.get(name))
            identifier = secrets.token_hex(16)
            self._uploads[identifier] = Upload(bucket, name, resource, query)
            return identifier

    def upload(self, identifier: str) -> Upload:
        """Return a resumable upload that has begun."""
        found = self._uploads.get(identifier)
        if found is None:
            raise RefusedError(404, f"No such upload: {identifier}", "notFound")
        return found

    def drop_upload(self, identifier: str) -> None:
        """Forget a resumable upload and what was received."""
        self._uploads.pop(identifier, None)

    def finish_upload(self, identifier: str, hashes: Mapping[str, str]) -> GcsObject:
        """Make the object of an upload whose last byte is here; the preconditions hold again."""
        upload = self.upload(identifier)
        data, upload.received = bytes(upload.received), bytearray()
        resource = {**upload.resource, **hashes}
        try:
            upload.made = self.write(upload.bucket, upload.name, data, upload.query, resource)
        except RefusedError:
            self.drop_upload(identifier)
            raise
        return upload.made


def _page(entries: Mapping[str, GcsObject | None], last: str | None) -> dict[str, Any]:
    """Return a page of a listing; ``last`` is its last name when more follow."""
    made: dict[str, Any] = {"kind": "storage#objects"}
    if items := [found.resource() for found in entries.values() if found]:
        made["items"] = items
    if prefixes := [name for name, found in entries.items() if not found]:
        made["prefixes"] = prefixes
    if last is not None:
        made["nextPageToken"] = encode(last.encode())
    return made


def _check(query: Mapping[str, str], found: GcsObject | None) -> None:
    """Refuse unless generation and metageneration are as the request demands."""
    generation = found.generation if found else 0
    metageneration = found.metageneration if found else 0
    for name, actual, equal in (
        ("ifGenerationMatch", generation, True),
        ("ifGenerationNotMatch", generation, False),
        ("ifMetagenerationMatch", metageneration, True),
        ("ifMetagenerationNotMatch", metageneration, False),
    ):
        if name in query and (int(query[name]) == actual) != equal:
            raise RefusedError(
                412,
                "At least one of the pre-conditions you specified did not hold.",
                "conditionNotMet",
            )


def encode(data: bytes) -> str:
    """Return base64 as the API writes it."""
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Read what ``encode`` wrote."""
    return base64.b64decode(text)
