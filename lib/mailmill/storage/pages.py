"""What a Parquet column's pages come to once they are unpacked, by their own headers: a forged footer says less.

A page is unpacked whole, before a limit can be asked. Its header is a struct of Thrift's compact protocol, read here
as Parquet's own readers read it, for only then do both find the same pages.
"""

from __future__ import annotations

import io
from typing import Any

#: No page is larger: its size is an int32.
LARGEST = 2**31

# Fields of a page's header, and types of the protocol.
_TYPE, _UNPACKED, _PACKED = 1, 2, 3
_VALUES_OF = {0: 5, 3: 8}  # by the page's type, the field with the header of its data, whose first is their number
_BOOLEANS, _BYTE, _NUMBERS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 11, 12


def unpacked_bytes(reader: io.BufferedReader, chunk: Any) -> int:
    """Bytes of all pages of a column in a row group (its `ColumnChunkMetaData`), unpacked; moves `reader`.

    Raises ValueError, TypeError, LookupError or EOFError where a header is damaged. Formats: Apache Parquet and Thrift.
    """
    at, seen, total = chunk.data_page_offset, 0, 0
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
        at = chunk.dictionary_page_offset
    end = min(at + chunk.total_compressed_size, reader.seek(0, io.SEEK_END))
    while at < end and seen < chunk.num_values:
        reader.seek(at)
        header = _struct(_Header(reader, end - at))
        if min(header[_UNPACKED], header[_PACKED]) < 0:
            raise ValueError("a page of negative size")
        total += header[_UNPACKED]
        if header[_TYPE] in _VALUES_OF:
            seen += header[_VALUES_OF[header[_TYPE]]][1]
        at = reader.tell() + header[_PACKED]
    return total


class _Header:
    """What is read of a header: nothing beyond its column, so that any number of columns takes linear work."""

    def __init__(self, reader: io.BufferedReader, left: int) -> None:
        self._reader, self._left = reader, left

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise EOFError
        return self._reader.read(size)


def _struct(header: _Header) -> dict[int, Any]:
    fields: dict[int, Any] = {}
    number = 0
    while (head := _byte(header)) & 15:
        number = number + (head >> 4) if head >> 4 else _number(header)
        kind = head & 15
        fields[number] = None if kind in _BOOLEANS else _value(header, kind)
    return fields


def _value(header: _Header, kind: int) -> Any:
    """A number or a struct; other values are passed over."""
    if kind == _STRUCT:
        return _struct(header)
    if kind in _NUMBERS:
        return _number(header)
    if kind in (*_BOOLEANS, _BYTE):
        _byte(header)
    elif kind == _DOUBLE:
        header.read(8)
    elif kind == _BINARY:
        header.read(_varint(header))
    elif kind in _LISTS:
        head = _byte(header)
        for _ in range(_varint(header) if head >> 4 == 15 else head >> 4):
            _value(header, head & 15)
    elif kind == _MAP:
        size = _varint(header)
        kinds = _byte(header) if size else 0
        for _ in range(size):
            _value(header, kinds >> 4)
            _value(header, kinds & 15)
    else:
        raise ValueError("no type of Thrift's")
    return None


def _byte(header: _Header) -> int:
    return header.read(1)[0]


def _varint(header: _Header) -> int:
    """Seven bits a byte, the lowest first; of a number as of an int32, the lowest 32 bits count."""
    value = 0
    for shift in range(0, 70, 7):
        byte = _byte(header)
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFF
    raise ValueError("a number without end")


def _number(header: _Header) -> int:
    value = _varint(header)
    return (value >> 1) ^ -(value & 1)
