"""Headers of the arrays in an ``.npz`` file: what they say, before anything is unpacked."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from components.contract.errors import UserError

WRITE_AGAIN = "fetch or write the file again"


@dataclass(frozen=True)
class ArrayHeader:
    """What an archive says of one of its arrays.

    Attributes:
        member: Its file in the archive.
        where: Its name for errors.
        shape: Of the array.
        dtype: Of the array, never of Python objects.
    """

    member: str
    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """The array's own name."""
        return self.member.removesuffix(".npy")

    @property
    def size_bytes(self) -> int:
        """Length of the array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    @classmethod
    def read(cls, archive: zipfile.ZipFile, name: str, file: str) -> ArrayHeader:
        """Read shape and type of an array; never its content, which could be a pickle."""
        member, where = f"{name}.npy", f"{file}[{name}]"
        with archive.open(member) as stream:
            shape, fortran, dtype = cls.skip(stream, where)
            start = stream.tell()
        if dtype.hasobject:
            raise UserError(
                f"{where} holds Python objects, which could run code when they are read",
                f"save names, of images that have one, as np.array({name}, dtype=str); images of "
                f"one size as one array of numbers: np.stack({name})",
            )
        if fortran and len(shape) > 1:
            raise UserError(
                f"{where} is in Fortran order", f"save np.ascontiguousarray({name}) in its place"
            )
        header = cls(member, where, shape, dtype)
        held = archive.getinfo(member).file_size - start
        if header.size_bytes > held:
            raise UserError(
                f"{where} ends early: it says {dtype} of shape {shape}, which are "
                f"{header.size_bytes} bytes, and holds {held}",
                WRITE_AGAIN,
            )
        return header

    @staticmethod
    def skip(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Read what stands before the numbers: shape, whether in Fortran order, type."""
        try:
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            return read(stream)
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{where} is no numpy array: {error}",
                "save it again with np.savez_compressed(path, images=..., labels=...)",
            ) from None
