"""Dropout (Srivastava et al. 2014) and weight decay, forward and backward by hand."""

import numpy as np


def l2_penalty(params, strength):
    """λ/2 · Σ ‖W‖² over the weights, which are matrices; biases are not decayed."""
    return 0.5 * strength * sum((p * p).sum() for p in params.values() if p.ndim == 2)


def l2_gradients(params, strength):
    """The gradient of l2_penalty by every parameter, under the same names: zeros for a bias."""
    return {name: strength * p if p.ndim == 2 else np.zeros_like(p) for name, p in params.items()}


def dropout(h, u, p, training):  # (B, H), (B, H)
    """h without the elements where u < p, in training; returns out and the mask that h was multiplied by, both (B, H)."""
    mask = (u >= p) / (1 - p) if training else np.ones_like(h)
    return h * mask, mask


def dropout_backward(dout, mask):  # (B, H), (B, H)
    """dL/dh from dL/dout; (B, H)."""
    return dout * mask


def loss_and_gradients(params, x, y, u, p, strength):  # x (B, D), y (B, K), u (B, H)
    """Half the squared error of x -> fc1 -> relu -> dropout -> fc2, with the penalty; and its gradients by name."""
    z = x @ params["fc1.weight"].T + params["fc1.bias"]  # (B, H)
    h = np.maximum(z, 0)  # (B, H)
    out, mask = dropout(h, u, p, training=True)  # (B, H)
    error = out @ params["fc2.weight"].T + params["fc2.bias"] - y  # (B, K)
    loss = 0.5 * (error * error).sum() + l2_penalty(params, strength)
    dz = dropout_backward(error @ params["fc2.weight"], mask) * (z > 0)  # (B, H)
    grads = l2_gradients(params, strength)
    grads["fc2.weight"] = grads["fc2.weight"] + error.T @ out
    grads["fc2.bias"] = grads["fc2.bias"] + error.sum(axis=0)
    grads["fc1.weight"] = grads["fc1.weight"] + dz.T @ x
    grads["fc1.bias"] = grads["fc1.bias"] + dz.sum(axis=0)
    return loss, grads
