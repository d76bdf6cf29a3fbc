"""The divergence between two diagonal normal distributions, its gradients, and the loss of a β-VAE."""

import numpy as np


def kl_divergence(mean, logvar, mean_p, logvar_p):  # (B, J) twice, (J,) twice
    """KL(N(mean, exp(logvar)) ‖ N(mean_p, exp(logvar_p))) in nats, summed over the latents; (B,)."""
    squares = np.exp(logvar) + (mean - mean_p) ** 2  # (B, J): E_q (z - mean_p)²
    return 0.5 * (logvar_p - logvar + squares / np.exp(logvar_p) - 1).sum(axis=1)


def kl_backward(dkl, mean, logvar, mean_p, logvar_p):  # (B,), …
    """dL/dmean and dL/dlogvar (B, J), given dL/dkl."""
    var_p = np.exp(logvar_p)  # (J,)
    dmean = dkl[:, None] * (mean - mean_p) / var_p
    dlogvar = dkl[:, None] * 0.5 * (np.exp(logvar) / var_p - 1)
    return dmean, dlogvar


def beta_loss(nll, kl, beta):  # (B, D), (B,)
    """The mean over the batch of what all pixels cost, and β times the divergence."""
    return (nll.sum(axis=1) + beta * kl).mean()
