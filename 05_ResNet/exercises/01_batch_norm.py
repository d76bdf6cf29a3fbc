"""BatchNorm over images, forward and backward by hand (Ioffe & Szegedy 2015)."""

import numpy as np

EPS = 1e-5
MOMENTUM = 0.1
AXES = (0, 2, 3)  # batch and pixels


def per_channel(v):  # (C,)
    """Shaped to meet images; (C, 1, 1)."""
    return v[:, None, None]


def forward(x, gamma, beta):  # (B, C, H, W), (C,), (C,)
    """y (B, C, H, W), in training, and what the way back needs."""
    mean = per_channel(x.mean(axis=AXES))
    std = np.sqrt(per_channel(x.var(axis=AXES)) + EPS)
    x_hat = (x - mean) / std  # (B, C, H, W)
    return per_channel(gamma) * x_hat + per_channel(beta), (x_hat, std)


def backward(dy, gamma, saved):  # (B, C, H, W), (C,)
    """dx (B, C, H, W), dgamma (C,) and dbeta (C,), given dL/dy."""
    x_hat, std = saved
    dx_hat = dy * per_channel(gamma)  # (B, C, H, W)
    centred = dx_hat - per_channel(dx_hat.mean(axis=AXES))
    dx = (centred - x_hat * per_channel((dx_hat * x_hat).mean(axis=AXES))) / std
    return dx, (dy * x_hat).sum(axis=AXES), dy.sum(axis=AXES)


def update_running(running_mean, running_var, x):  # (C,), (C,), (B, C, H, W)
    """The running statistics after one more batch; (C,) and (C,)."""
    unbiased = x.var(axis=AXES, ddof=1)  # (C,)
    return (
        (1 - MOMENTUM) * running_mean + MOMENTUM * x.mean(axis=AXES),
        (1 - MOMENTUM) * running_var + MOMENTUM * unbiased,
    )
