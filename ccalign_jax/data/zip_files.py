"""Offsets and checksums of the members of zip archives, such as .npz and .pt files."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ["Checksum", "Member", "file_crc32", "zip_members"]

_BLOCK = 1 << 20
_UTF8 = 0x800
_LOCAL_HEADER = struct.Struct("<4s2xH18xHH")


class Checksum(NamedTuple):
    """The CRC-32 that a file states of its own bytes `start` to `stop`."""

    start: int
    stop: int
    crc32: int

    def verify(self, path: Path) -> None:
        """Compare the bytes with the checksum.

        Raises:
            ValueError: the checksum is another.
        """
        if file_crc32(path, self.start, self.stop) != self.crc32:
            raise ValueError("its checksum differs")


def file_crc32(path: Path, start: int, stop: int) -> int:
    """CRC-32 of the bytes `start` to `stop` of a file; of fewer if it ends before."""
    found, left, buffer = 0, stop - start, memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while left > 0 and (count := file.readinto(buffer[: min(left, _BLOCK)])):
            found = zlib.crc32(buffer[:count], found)
            left -= count
    return found


class Member(NamedTuple):
    """A member of an archive; if it is not compressed, its bytes are those of the checksum."""

    info: zipfile.ZipInfo
    checksum: Checksum


def zip_members(file: IO[bytes], archive: zipfile.ZipFile) -> dict[str, Member]:
    """The members of an archive by name, after a check that its directory agrees with them.

    Args:
        file: that the archive is read from.
        archive: the same, open.

    Raises:
        ValueError: names that differ or repeat, or bytes between members, which the directory leaves out. A damaged
            archive may raise anything else.
    """
    found = {}
    for info in archive.infolist():
        file.seek(info.header_offset)
        magic, flags, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        wanted = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        if magic != b"PK\3\4" or (flags ^ info.flag_bits) & _UTF8 or file.read(name) != wanted:
            raise ValueError(f"{info.filename!r} has another name in the archive's directory")
        if info.filename in found:
            raise ValueError(f"{info.filename!r} occurs twice")
        start = info.header_offset + _LOCAL_HEADER.size + name + extra
        found[info.filename] = Member(info, Checksum(start, start + info.compress_size, info.CRC))
    ordered = sorted(found.values(), key=lambda member: member.info.header_offset)
    ends = [0, *(member.checksum.stop for member in ordered)]
    begins = [*(member.info.header_offset for member in ordered), archive.start_dir]
    if max(begin - end for begin, end in zip(begins, ends, strict=True)) >= _LOCAL_HEADER.size:
        raise ValueError("its directory leaves out a part of the file")
    return found
