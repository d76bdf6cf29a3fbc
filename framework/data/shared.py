"""How a batch travels from a worker to its reader: through memory that both map, without a name and without a copy.

A batch is pickled with its arrays' memory kept apart (pickle protocol 5), and all of it is put into one segment. A segment
is a file without a name: its descriptor is sent through the worker's socket once, and the system frees it when the last
process that has it ends, however it ends, so no segment can leak. The reader's arrays lie in the segment itself;
once the last of them is gone, the segment's number goes back to the worker, which fills it again (a fresh page costs more than
copying into a warm one).
"""

import collections
import mmap
import os
import pickle
import socket
import tempfile
import weakref

import numpy as np

ALIGNMENT = 64  # bytes: a cache line
MOST_SEGMENTS = (
    64  # of one worker; a reader that keeps more batches than that gets copies, before it runs out of file descriptors
)


def _aligned(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


def _unnamed_file(size):
    """The descriptor of a new file in memory that no path leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("batch", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class SegmentWriter:
    """The worker's side: puts objects into free segments. `connection` is the worker's end of its Unix socket."""

    def __init__(self, connection):
        self.connection = connection
        self.segments, self.free, self.made = {}, [], 0

    def release(self, numbers):
        """The reader is done with these segments."""
        self.free.extend(numbers)

    def send(self, header, obj):
        """Send `header` (small: it must fit into the socket's buffer) and any picklable object."""
        buffers = []
        pickled = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
        sizes = [part.nbytes for part in parts]
        number, new, outgrown = self._segment(sum(map(_aligned, sizes)))
        segment, start = self.segments[number], 0
        for part, size in zip(parts, sizes):
            segment[start : start + size] = part
            start += _aligned(size)
        self.connection.send((header, number, len(segment) if new else 0, outgrown, sizes))
        if new:
            with socket.socket(fileno=os.dup(self.connection.fileno())) as channel:
                socket.send_fds(channel, [b"."], [new])
            os.close(new)

    def _segment(self, size):
        """The number of a free segment of at least that size, the descriptor if it is new (else None), and those given up as too small."""
        fitting = [number for number in self.free if len(self.segments[number]) >= size]
        if fitting:
            number = min(fitting, key=lambda number: len(self.segments[number]))
            self.free.remove(number)
            return number, None, []
        outgrown, self.free = self.free, []
        for number in outgrown:
            del self.segments[number]
        length = -(-size * 5 // 4 // mmap.PAGESIZE) * mmap.PAGESIZE  # room for a somewhat larger batch
        number, self.made, descriptor = self.made, self.made + 1, _unnamed_file(length)
        self.segments[number] = mmap.mmap(descriptor, length)
        return number, descriptor, outgrown


class SegmentReader:
    """The reader's side of one worker's segments. `released` holds the numbers of those that no array lies in any more."""

    def __init__(self, connection):
        self.connection = connection
        self.segments, self.in_use, self.released = {}, {}, collections.deque()

    def receive(self):
        """The next header and object. EOFError where the other side is gone."""
        try:
            header, number, new_length, outgrown, sizes = self.connection.recv()
        except OSError:
            raise EOFError from None
        if new_length:
            with socket.socket(fileno=os.dup(self.connection.fileno())) as channel:
                message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            if not message:
                raise EOFError
            if not descriptors:
                raise OSError(
                    "DataLoader: this process has no file descriptor left for a worker's memory; see `ulimit -n`"
                )
            self.segments[number] = mmap.mmap(descriptors[0], new_length)
            os.close(descriptors[0])
        for old in outgrown:
            del self.segments[old], self.in_use[old]
        whole = np.frombuffer(self.segments[number], np.uint8)
        parts, start = [], 0
        for size in sizes:
            parts.append(whole[start : start + size])
            start += _aligned(size)
        if len(self.segments) > MOST_SEGMENTS:
            parts = [part.copy() for part in parts]
        released = self.released  # every array made from a part keeps `whole` alive: when it goes, the segment is free
        self.in_use[number] = weakref.ref(whole, lambda _: released.append(number))
        return header, pickle.loads(parts[0], buffers=parts[1:])

    def take_released(self):
        numbers = []
        while self.released:
            numbers.append(self.released.popleft())
        return numbers
