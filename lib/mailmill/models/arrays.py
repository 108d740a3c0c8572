"""Named arrays as one `.npz` of fixed bytes, and back, trusting nothing that the bytes say.

`numpy.savez` stamps the time into the archive, so equal models would differ; `numpy.load` allocates what a
header claims. Here members are stored uncompressed at a fixed date, and a header must match its bytes.
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mailmill.errors import DataError

Arrays = Mapping[str, NDArray[Any]]

_DATE = (1980, 1, 1, 0, 0, 0)


def pack(arrays: Arrays) -> bytes:
    """An npz archive that `numpy.load(allow_pickle=False)` reads; equal arrays give equal bytes.

    Members in order of name, little-endian, C-contiguous, stored, dated 1980-01-01.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            member = io.BytesIO()
            npy.write_array(member, array.astype(array.dtype.newbyteorder("<"), copy=False), (1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _DATE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            target.writestr(info, member.getvalue())
    return archive.getvalue()


def unpack(data: bytes, expected: Mapping[str, tuple[str, int]]) -> dict[str, NDArray[Any]]:
    """The arrays named in `expected`, which maps a name to its dtype ("<f8") and number of dimensions.

    The arrays are read-only views of `data`: memory use is bounded by the bytes at hand.

    Raises:
        DataError: not a stored zip, a member missing, repeated or too many, or a header with another dtype,
            dimension, order or size than expected.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            members = source.infolist()
            if sorted(info.filename for info in members) != sorted(f"{name}.npy" for name in expected):
                raise DataError(f"the weights hold other arrays than {sorted(expected)}")
            if any(info.compress_type != zipfile.ZIP_STORED for info in members):
                raise DataError("the weights are compressed, which this format does not allow")
            raw = {info.filename.removesuffix(".npy"): source.read(info) for info in members}
    except (zipfile.BadZipFile, struct.error, OSError, EOFError, ValueError, LookupError, RuntimeError) as error:
        raise DataError(f"the weights are not a readable npz archive ({type(error).__name__})") from None
    return {name: _array(name, raw[name], *expected[name]) for name in expected}


def _array(name: str, data: bytes, dtype: str, dimensions: int) -> NDArray[Any]:
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        if version != (1, 0):
            raise ValueError(version)
        shape, fortran, found = npy.read_array_header_1_0(stream)
    except (ValueError, SyntaxError, tokenize.TokenError, TypeError, RecursionError, MemoryError) as error:
        raise DataError(f"array {name!r} has an unreadable header ({type(error).__name__})") from None
    if found != np.dtype(dtype) or found.hasobject or len(shape) != dimensions or fortran:
        raise DataError(f"array {name!r} is {found} of {len(shape)} dimensions, not {dtype} of {dimensions}")
    size = 1
    for length in shape:
        if not isinstance(length, int) or length < 0:
            raise DataError(f"array {name!r} has an impossible shape")
        size *= length
    body = memoryview(data)[stream.tell() :]
    if size * found.itemsize != len(body):
        raise DataError(f"array {name!r} claims {size * found.itemsize} bytes and has {len(body)}")
    return np.frombuffer(body, found).reshape(shape)
