"""Objects of a bucket under any name, as all services have them: listed, read and moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

THREADS = 16
"""Small objects wait for the network, not for this machine."""

ABSENT = ""
"""The version of what is not there."""


class ObjectMissing(LookupError):  # noqa: N818 it is the answer to a question, not always an error
    """There is no object of this name, or no longer of this version."""


class OtherVersion(LookupError):  # noqa: N818 see above
    """The object has another version than a write or a removal asked for."""


class DamagedTransfer(OSError):  # noqa: N818 see above
    """What arrived is not what was sent."""


@dataclass(frozen=True)
class StoredObject:
    """What a service knows of an object without sending its bytes.

    Attributes:
        name: In the bucket, whole.
        size_bytes: Length.
        version: Changes whenever the object is written again.
        checksum: As the service gives it, in the form of that service; may be empty.
        encoding: Its ``Content-Encoding``; may be empty.
        metadata: What its writer said of it; only ``look`` asks for it.
    """

    name: str
    size_bytes: int
    version: str
    checksum: str = ""
    encoding: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class Objects(Protocol):
    """The objects of one bucket; each method may be called from any thread.

    All methods raise ``UserError`` where the user can put it right: no credentials, a bucket that
    is missing, forbidden or not to be reached.
    """

    @property
    def service(self) -> str:
        """Who keeps them: an address, and what answers there where it tells."""
        ...

    def check_access(self, prefix: str) -> None:
        """Ask for one object, so that a bucket that cannot be used is known at once."""
        ...

    def list(self, prefix: str, *, details: bool = False) -> Iterator[StoredObject]:
        """Yield the objects whose names begin so, in the order of names.

        Args:
            prefix: Any text.
            details: Whether size, version, checksum and encoding are needed.
        """
        ...

    def look(self, name: str) -> StoredObject | None:
        """Return the live object with all that is known of it, or None."""
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to, not including, ``end`` (None: to the end).

        Raises:
            ObjectMissing: There is none.
        """
        ...

    def fetch(self, name: str, path: Path, version: str | None = None) -> str:
        """Write an object to a file, which is made or written over.

        Args:
            name: Which one.
            path: Where to, in a folder that is there.
            version: Which version; None takes the live one.

        Returns:
            The sha256 of its bytes.

        Raises:
            ObjectMissing: There is none, or no longer of this version.
        """
        ...

    def write(self, name: str, data: bytes | Path, version: str, nonce: str) -> None:
        """Write an object if the live one has this version (``ABSENT``: if there is none).

        Args:
            name: Which one.
            data: Its bytes, or the file that holds them.
            version: See above.
            nonce: Written with it; ``nonce_of`` tells it again.

        Raises:
            OtherVersion: It has another one; also after a lost reply to the same write.
        """
        ...

    def copy(self, name: str, target: str) -> None:
        """Copy an object within the bucket, without its bytes passing this machine.

        Args:
            name: Which one.
            target: Name of the copy; an object there is written over.

        Raises:
            ObjectMissing: There is none.
        """
        ...

    def delete(self, name: str, version: str) -> bool:
        """Remove the object if it is still the one of this version; whether this call did it.

        When the reply was lost and the object is gone at the next try, nobody can tell who did it:
        this call then takes it for its own doing.
        """
        ...


NONCE = "slimline-nonce"
"""Where a writer leaves what tells its own object from another one's of the same bytes."""


CONDITIONS = (
    "keep the store at a service that holds If-None-Match and If-Match on PUT and If-Match on "
    "DELETE, such as AWS S3 or SeaweedFS 4.48, in gs://bucket/prefix, or in a folder; a pipeline "
    "root may stay where it is"
)
"""The way out where a service does not let one of several writers win."""
