"""Sequences of different lengths: padded to one length, or packed, step after step, without the padding."""

from collections import namedtuple

import numpy as np

from ... import backend
from ...ops.creation import full
from ...ops.shape import cat, stack
from ...tensor import Tensor

__all__ = [
    "PackedSequence", "pack_padded_sequence", "pad_packed_sequence", "pad_sequence", "pack_sequence", "unpad_sequence", "unpack_sequence",
    "invert_permutation",
]  # fmt: skip


class PackedSequence(namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])):
    """Sequences packed by steps, longest first: data (sum of lengths, …) holds step 0 of all, then step 1 of those that have one, ….

    batch_sizes (T,), on the CPU: how many sequences have each step. sorted_indices: the order in which they lie here; unsorted_indices undoes it.
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None and isinstance(data, (tuple, list)):
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        data = self.data.to(*args, **kwargs)
        indices = [x if x is None else x.to(data.device) for x in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self):
        return self.to("cpu")

    def cuda(self, device=None):
        return self.to("cuda" if device is None else device)

    def double(self):
        return self._replace(data=self.data.double())

    def float(self):
        return self._replace(data=self.data.float())

    @property
    def is_cuda(self):
        return self.data.is_cuda


def invert_permutation(permutation):
    """The permutation that undoes this one; None for None."""
    return None if permutation is None else _like(np.argsort(permutation.cpu().numpy(), kind="stable"), permutation)


def _like(array, tensor):
    """The array as a Tensor on that tensor's device."""
    return Tensor(backend.to_device(array, tensor.device))


def _lengths(name, lengths, batch, longest):
    lengths = np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths).astype(np.int64)
    if lengths.shape != (batch,):
        raise RuntimeError(f"{name}: {lengths.size} lengths for {batch} sequences")
    if (lengths <= 0).any() or (lengths > longest).any():
        raise RuntimeError(f"{name}: every length is between 1 and {longest}, the input's; got {lengths.tolist()}")
    return lengths


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack input (T, B, …), with batch_first (B, T, …), whose sequences have the given lengths.

    enforce_sorted: the lengths must fall; otherwise the sequences are sorted, and pad_packed_sequence puts them back.
    """
    steps, batch = (1, 0) if batch_first else (0, 1)
    lengths = _lengths("pack_padded_sequence", lengths, input.shape[batch], input.shape[steps])
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
    elif (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "pack_padded_sequence: the lengths must fall, longest first; pass enforce_sorted=False to have them sorted"
        )
    present = np.arange(lengths[0])[:, None] < lengths  # (T, B): which sequences have which step
    step, sequence = present.nonzero()
    sequence = sequence if order is None else order[sequence]
    index = (sequence, step) if batch_first else (step, sequence)
    data = input[tuple(_like(i, input) for i in index)]
    return PackedSequence(data, Tensor(present.sum(axis=1)), None if order is None else _like(order, input))


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Undo pack_padded_sequence: return the padded (T, B, …), with batch_first (B, T, …), and the lengths (B,)."""
    sizes = sequence.batch_sizes.numpy()
    length, batch = len(sizes), int(sizes[0])
    if total_length is not None and total_length < length:
        raise ValueError(
            f"pad_packed_sequence: total_length={total_length} is below the longest sequence's length, {length}"
        )
    present = np.arange(batch) < sizes[:, None]  # (T, B)
    position = np.full(
        (total_length or length, batch), len(sequence.data), np.int64
    )  # of the one row of padding, unless
    position[:length][present] = np.arange(len(sequence.data))
    lengths = present.sum(axis=0)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.cpu().numpy()
        position, lengths = position[:, order], lengths[order]
    data = sequence.data
    padding = full((1, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    return cat([data, padding])[_like(np.ascontiguousarray(position.T if batch_first else position), data)], Tensor(
        lengths
    )


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack tensors (L_i, …) to (T, B, …), with batch_first (B, T, …), filled up to the longest."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f'pad_sequence: padding_side is "left" or "right", not {padding_side!r}')
    sequences = list(sequences)
    longest = max(len(sequence) for sequence in sequences)
    padded = []
    for sequence in sequences:
        missing = longest - len(sequence)
        if missing:
            filling = full((missing, *sequence.shape[1:]), padding_value, dtype=sequence.dtype, device=sequence.device)
            sequence = cat([sequence, filling] if padding_side == "right" else [filling, sequence])
        padded.append(sequence)
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """Undo pad_sequence: a list of tensors of the given lengths."""
    lengths = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    return [
        padded_sequences[i, :length] if batch_first else padded_sequences[:length, i]
        for i, length in enumerate(lengths)
    ]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of tensors (L_i, …)."""
    sequences = list(sequences)
    return pack_padded_sequence(
        pad_sequence(sequences), [len(sequence) for sequence in sequences], enforce_sorted=enforce_sorted
    )


def unpack_sequence(packed_sequences):
    """Undo pack_sequence: a list of tensors."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
