"""Files as arrays: the bytes of a file, mapped into memory, and typed arrays cut from them."""

import mmap
import os
import struct
import sys
import zipfile
import zlib

import numpy as np

BFLOAT16 = "bfloat16"  # NumPy has no such dtype


class UnreadableFile(ValueError):
    """A file that is damaged, cut off, foreign, or holds what is not supported; the message says which, and where."""

    def __init__(self, path, reason):
        super().__init__(f"load: {path}: {reason}")


def map_file(path):
    """The bytes of a file as a uint8 array. Pages are read when touched; writing into the array does not change the file."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise UnreadableFile(path, "the file is empty")
        if sys.platform == "linux":  # as ACCESS_COPY, but a file larger than the memory is no reason to refuse
            how = dict(flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ | mmap.PROT_WRITE)  # 0x4000: MAP_NORESERVE
        else:
            how = dict(access=mmap.ACCESS_COPY)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, **how), np.uint8)


def typed(raw, dtype, mapped, order="<"):
    """The bytes, stored in the given byte order, as a 1-D array of the dtype in the machine's.

    mapped: the array may be a view of the bytes; else, or where they are not aligned, it is a copy. bfloat16 becomes float32,
    which holds each of its values exactly. Raises ValueError where the bytes are no whole number of elements.
    """
    if dtype == BFLOAT16:
        return (typed(raw, "u2", True, order).astype(np.uint32) << 16).view(np.float32)
    dtype = np.dtype(dtype).newbyteorder(order)
    if raw.size % dtype.itemsize:
        raise ValueError(f"{raw.size} bytes are no whole number of {dtype}")
    array = raw.view(dtype) if raw.size else np.empty(0, dtype)
    native = dtype.newbyteorder("=")
    return array.astype(native, copy=not (mapped and array.flags.aligned))


class ZipFile:
    """The entries of a zip file as bytes: views of the mapped file where they are stored plain, else decompressed."""

    def __init__(self, path, mapped):
        self.path, self.mapped, self.bytes = path, mapped, map_file(path)
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise UnreadableFile(path, f"the zip file's table of contents is cut off or damaged: {error}") from None
        self.entries = {info.filename: info for info in entries}
        end = self.bytes[-65_557:].tobytes()  # the end record, and a comment of at most 64 KB
        (count,) = struct.unpack_from("<H", end, end.rindex(b"PK\5\6") + 10)
        if count not in (len(entries), 0xFFFF) or len(self.entries) != len(entries):
            raise UnreadableFile(
                path, f"the zip file's table of contents is damaged: {len(entries)} of {count} entries"
            )

    def read(self, name, verify=True):
        """An entry's bytes as a uint8 array. verify: read them to compare their checksum, even where the file is to stay mapped."""
        info = self.entries[name]
        if info.compress_type != zipfile.ZIP_STORED:
            return self._decompress(info)
        start = info.header_offset + 30
        header = self.bytes[info.header_offset : start].tobytes()
        sizes = struct.unpack("<HH", header[26:]) if header.startswith(b"PK\3\4") and len(header) == 30 else (0, 0)
        if self.bytes[start : start + sizes[0]].tobytes() != info.orig_filename.encode(_encoding(info)):
            raise UnreadableFile(self.path, f"damaged at entry {name!r}")
        start += sum(sizes)  # the name and the extra field
        raw = self.bytes[start : start + info.file_size]
        if (verify or not self.mapped) and zlib.crc32(raw) != info.CRC:
            raise UnreadableFile(self.path, f"entry {name!r} is damaged: its checksum differs")
        return raw

    def _decompress(self, info):
        try:
            with zipfile.ZipFile(self.path) as archive:
                return np.frombuffer(bytearray(archive.read(info)), np.uint8)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UnreadableFile(self.path, f"entry {info.filename!r} cannot be decompressed: {error}") from None


def _encoding(info):
    return "utf-8" if info.flag_bits & 0x800 else "cp437"  # as the zip format has it
