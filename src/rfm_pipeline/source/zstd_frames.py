"""Whether a zstd file is whole.

DuckDB reads a zstd file that was cut off up to the cut, and says nothing. The frames tell: each block carries
its length, so a walk over their headers finds the end without unpacking anything (RFC 8878, section 3.1).
"""

from __future__ import annotations

from typing import BinaryIO

_FRAME = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RLE, _RESERVED = 1, 3


def is_whole(stream: BinaryIO) -> bool:
    """Whether a zstd stream ends where its last frame ends.

    Args:
        stream: The file, at its start; it is read up to its end.
    """
    try:
        while magic := stream.read(4):
            number = int.from_bytes(magic, "little")
            if number in _SKIPPABLE:
                _skip(stream, _number(stream, 4))
            elif number == _FRAME:
                _skip_frame(stream)
            else:
                return False
    except EOFError:
        return False
    return True


def _skip_frame(stream: BinaryIO) -> None:
    descriptor = _number(stream, 1)
    single_segment, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    _skip(stream, (1 - single_segment) + dictionary_bytes + size_bytes)
    last = False
    while not last:
        header = _number(stream, 3)
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise EOFError
        _skip(stream, 1 if kind == _RLE else size)
    _skip(stream, 4 * checksum)


def _number(stream: BinaryIO, size: int) -> int:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return int.from_bytes(data, "little")


def _skip(stream: BinaryIO, size: int) -> None:
    if size:
        # The last byte is read, not jumped over: a jump beyond the end would go unnoticed.
        stream.seek(size - 1, 1)
        _number(stream, 1)
