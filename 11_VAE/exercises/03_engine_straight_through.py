"""Gradients through a coin toss: straight through (Bengio et al. 2013), and by the score function (Williams 1992)."""

from framework.autograd import Function


class StraightThrough(Function):
    @staticmethod
    def forward(ctx, p, u):
        """The coins [u < p], as numbers of p's dtype."""
        return (u < p).to(p.dtype)

    @staticmethod
    def backward(ctx, dz):
        """A gradient for p, as if z were p; and none for u."""
        return dz, None


def score_gradient(f, p, u, baseline):  # (J,), (N, J)
    """The mean over N samples of (f(z) - baseline) d log P(z; p) / dp; (J,)."""
    z = (u < p).astype(float)  # (N, J)
    score = (z - p) / (p * (1 - p))  # (N, J)
    return ((f(z) - baseline) * score).mean(axis=0)
