"""A digest of rows that does not depend on their order, batches or files.

Spark, Dask and the local engine cut a table into different files, yet the same rows must have the
same fingerprint, or a stage would run again for no reason. Each row is hashed alone and the hashes
are added modulo 2^128, so digests of parts add up to the digest of the whole (AdHash: Bellare and
Micciancio, "A new paradigm for collision-free hashing", EUROCRYPT 1997). It detects change; it is
no signature against a forger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa

MODULUS = 1 << 128
_Slicer = Callable[[int, int], bytes]


def digest(batch: pa.RecordBatch) -> int:
    """Sum of the rows' hashes modulo 2^128.

    A row's hash is BLAKE2b-128 over its columns in schema order; a column contributes its bytes,
    preceded by its length where that varies, and a byte for null. Encodings (dictionary, offsets'
    width, a slice of a larger array) do not matter.

    Raises:
        TypeError: a column of a type that no table of mailmill has, or a null inside a nested value.
    """
    slicers = [_column(column) for column in batch.columns]
    total = 0
    for row in range(batch.num_rows):
        state = hashlib.blake2b(digest_size=16)
        for slicer in slicers:
            state.update(slicer(row, row + 1))
        total += int.from_bytes(state.digest(), "little")
    return total % MODULUS


def combine(digests: list[int]) -> int:
    """The digest of all rows together from the digests of the parts."""
    return sum(digests) % MODULUS


def table_fingerprint(schema: pa.Schema, rows: int, total: int) -> str:
    """32 hex digits over the schema, the number of rows and the sum of the rows' hashes."""
    columns = [f"{field.name}:{field.type}" for field in schema]
    text = "\n".join([*columns, str(rows), f"{total:032x}"])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _column(array: pa.Array) -> _Slicer:
    """A function (first row, end row) -> canonical bytes, with a marker byte for each row's validity."""
    if array.null_count == 0:
        values = _values(array)
        return lambda lo, hi: b"\1" + values(lo, hi)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    values = _values(array)
    return lambda lo, hi: b"\1" + values(lo, hi) if valid[lo] else b"\0"


def _values(array: pa.Array) -> _Slicer:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        array = array.cast(pa.large_binary())
    if pa.types.is_large_binary(array.type):
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
        return _lists(offsets, _bytes_of(array.buffers()[2]))
    if pa.types.is_fixed_size_list(kind):
        inner, width = _nested(array.flatten()), kind.list_size
        if array.null_count:
            raise TypeError("a fixed-size list column must not hold nulls")
        return lambda lo, hi: inner(lo * width, hi * width)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = array.offsets.to_numpy()
        return _lists(offsets - offsets[0], _nested(array.flatten()))
    if pa.types.is_struct(kind):
        children = [_nested(child) for child in array.flatten()]
        return lambda lo, hi: b"".join([child(lo, hi) for child in children])
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.int64())
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
        memory, size = numbers.tobytes(), numbers.dtype.itemsize
        return lambda lo, hi: memory[lo * size : hi * size]
    raise TypeError(f"no canonical bytes for a column of type {kind}")


def _nested(array: pa.Array) -> _Slicer:
    if array.null_count:
        raise TypeError("a nested value must not hold nulls")
    return _values(array)


def _lists(offsets: np.ndarray, inner: _Slicer) -> _Slicer:
    lengths = np.diff(offsets).astype("<u4").tobytes()
    bounds = offsets.tolist()
    return lambda lo, hi: lengths[lo * 4 : hi * 4] + inner(bounds[lo], bounds[hi])


def _bytes_of(buffer: pa.Buffer | None) -> _Slicer:
    memory = memoryview(buffer) if buffer is not None else memoryview(b"")
    return lambda lo, hi: bytes(memory[lo:hi])
