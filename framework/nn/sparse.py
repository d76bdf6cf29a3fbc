"""Embeddings: rows of a table, looked up by their numbers."""

from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter, empty

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both embeddings share. Weight (num_embeddings, embedding_dim)."""

    def _set_up(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx,
        max_norm,
        norm_type,
        scale_grad_by_freq,
        sparse,
        _weight,
        device,
        dtype,
    ):
        name = self._get_name()
        if sparse:
            raise NotImplementedError(f"{name}: sparse=True is not supported; gradients are dense")
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"{name}: padding_idx={padding_idx} is out of range, there are {num_embeddings} embeddings"
                )
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = (
            max_norm,
            norm_type,
            scale_grad_by_freq,
            False,
        )
        if _weight is None:
            self.weight = empty((num_embeddings, embedding_dim), device, dtype)
            self.reset_parameters()
        elif tuple(_weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(
                f"{name}: the weight has shape {tuple(_weight.shape)}, expected {(num_embeddings, embedding_dim)}"
            )
        else:
            self.weight = Parameter(_weight)

    def reset_parameters(self):
        """N(0, 1), and zeros at padding_idx."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.data[self.padding_idx])

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **settings):
        """A table with the given rows (num_embeddings, embedding_dim), not trained unless freeze=False."""
        if embeddings.ndim != 2:
            raise ValueError(f"{cls.__name__}.from_pretrained: expected a matrix, got shape {tuple(embeddings.shape)}")
        table = cls(*embeddings.shape, _weight=embeddings, **settings)
        table.weight.requires_grad = not freeze
        return table

    def extra_repr(self):
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        parts += [f"{name}={getattr(self, name)!r}" for name, default in self._shown if getattr(self, name) != default]
        return ", ".join(parts)


class Embedding(_Table):
    """Integers (…) → rows (…, embedding_dim). The row at padding_idx starts at zero and gets no gradient."""

    _shown = (("padding_idx", None), ("max_norm", None), ("norm_type", 2), ("scale_grad_by_freq", False))

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
        sparse=False, _weight=None, _freeze=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self._set_up(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, device, dtype
        )  # fmt: skip
        if _freeze:
            self.weight.requires_grad = False

    def forward(self, input):
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )


class EmbeddingBag(_Table):
    """Sums, means or maxima of rows: bags (B, N), or a flat list of numbers with the offset at which each bag starts → (B, embedding_dim)."""

    _shown = (("max_norm", None), ("norm_type", 2), ("scale_grad_by_freq", False), ("mode", ""), ("padding_idx", None))

    def __init__(
        self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean",
        sparse=False, _weight=None, include_last_offset=False, padding_idx=None, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f'EmbeddingBag: mode is "sum", "mean" or "max", not {mode!r}')
        self.mode, self.include_last_offset = mode, include_last_offset
        self._set_up(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, device, dtype
        )  # fmt: skip

    def forward(self, input, offsets=None, per_sample_weights=None):
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
