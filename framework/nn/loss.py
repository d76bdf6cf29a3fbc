"""The losses as modules. Each is a row: its function, and the settings with PyTorch's defaults."""

from .settings import FunctionModule

__all__ = [
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "KLDivLoss",
    "MarginRankingLoss",
    "HingeEmbeddingLoss",
    "SoftMarginLoss",
    "CosineEmbeddingLoss",
    "TripletMarginLoss",
    "GaussianNLLLoss",
    "PoissonNLLLoss",
]

_OLD = (
    "size_average",
    "reduce",
)  # deprecated in PyTorch for `reduction`; they hold their places among the positional arguments
_TENSORS = ("weight", "pos_weight")


class _Loss(FunctionModule):
    """A loss: forward(input, target) → a number, or with reduction="none" one number each."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in _OLD:
            if self.__dict__.pop(name, None) is not None:
                raise NotImplementedError(
                    f'{self._get_name()}: {name} is not supported; use reduction="mean", "sum" or "none"'
                )
        for name in _TENSORS:
            if name in self.settings:
                self.register_buffer(name, self.__dict__.pop(name))

    def arguments(self):
        return {name: getattr(self, name) for name in self.settings if name not in _OLD}


class L1Loss(_Loss):
    """mean |input − target|."""

    function, settings = "l1_loss", dict(size_average=None, reduce=None, reduction="mean")


class MSELoss(_Loss):
    """mean (input − target)²."""

    function, settings = "mse_loss", dict(size_average=None, reduce=None, reduction="mean")


class SmoothL1Loss(_Loss):
    """d² / (2 beta) where d = |input − target| < beta, d − beta/2 elsewhere; the mean."""

    function, settings = "smooth_l1_loss", dict(size_average=None, reduce=None, reduction="mean", beta=1.0)


class HuberLoss(_Loss):
    """d² / 2 where d = |input − target| < delta, delta (d − delta/2) elsewhere; the mean."""

    function, settings = "huber_loss", dict(reduction="mean", delta=1.0)


class CrossEntropyLoss(_Loss):
    """−log softmax(logits)[target]; logits (B, C, …), targets class indices (B, …) or probabilities (B, C, …)."""

    function = "cross_entropy"
    settings = dict(
        weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
    )


class NLLLoss(_Loss):
    """−log_probs[target]; log probabilities (B, C, …), class indices (B, …)."""

    function = "nll_loss"
    settings = dict(weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean")


class BCELoss(_Loss):
    """−t log p − (1 − t) log(1 − p), for probabilities p."""

    function, settings = "binary_cross_entropy", dict(weight=None, size_average=None, reduce=None, reduction="mean")


class BCEWithLogitsLoss(_Loss):
    """BCELoss of σ(logits), without overflow; pos_weight multiplies the first term."""

    function = "binary_cross_entropy_with_logits"
    settings = dict(weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None)


class KLDivLoss(_Loss):
    """t (log t − log p), for log probabilities; reduction="batchmean" divides the sum by the batch."""

    function, settings = "kl_div", dict(size_average=None, reduce=None, reduction="mean", log_target=False)


class MarginRankingLoss(_Loss):
    """max(0, margin − t (x1 − x2)); forward(x1, x2, target)."""

    function, settings = "margin_ranking_loss", dict(margin=0.0, size_average=None, reduce=None, reduction="mean")


class HingeEmbeddingLoss(_Loss):
    """The distance x where t = 1, max(0, margin − x) where t = −1."""

    function, settings = "hinge_embedding_loss", dict(margin=1.0, size_average=None, reduce=None, reduction="mean")


class SoftMarginLoss(_Loss):
    """log(1 + exp(−t x))."""

    function, settings = "soft_margin_loss", dict(size_average=None, reduce=None, reduction="mean")


class CosineEmbeddingLoss(_Loss):
    """1 − cos(x1, x2) where t = 1, max(0, cos(x1, x2) − margin) where t = −1; forward(x1, x2, target)."""

    function, settings = "cosine_embedding_loss", dict(margin=0.0, size_average=None, reduce=None, reduction="mean")


class TripletMarginLoss(_Loss):
    """max(0, margin + d(anchor, positive) − d(anchor, negative)); forward(anchor, positive, negative)."""

    function = "triplet_margin_loss"
    settings = dict(margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean")


class GaussianNLLLoss(_Loss):
    """½ (log v + (x − t)² / v), v = max(var, eps); forward(input, target, var). Settings by keyword, as in PyTorch."""

    function, settings = "gaussian_nll_loss", dict(full=False, eps=1e-6, reduction="mean")


class PoissonNLLLoss(_Loss):
    """exp(x) − t x, or without log_input x − t log(x + eps)."""

    function = "poisson_nll_loss"
    settings = dict(log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean")
