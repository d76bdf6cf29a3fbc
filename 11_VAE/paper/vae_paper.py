"""Variational autoencoder, level 3: nn.Module, as PyTorch code is written.

Kingma & Welling 2013. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, D pixels, H hidden units, J latent variables, k samples.
Both terms of the loss are sums over an image's pixels or latents, in nats, and means over the batch.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import VAEConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(weight, activation):
    """Fill a weight (fan_out, fan_in) so that it keeps the size of the signal from layer to layer.

    relu: He et al. 2015, section 2.2. tanh, linear: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation == "relu":
        nn.init.kaiming_normal_(weight, nonlinearity="relu")  # eq. 33
    else:
        nn.init.xavier_uniform_(weight)  # eq. 34


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(a).  All are (B, H) in, (B, H) out.

ACTIVATIONS = {"tanh": torch.tanh, "relu": F.relu}  # eq. 2


# ------------------------------------------------------------------------- The two terms of the negative ELBO
# Each is a function of (B, …) to (B,): one number for an image.


def bernoulli_nll(x, logits):  # (B, D) each
    """−log p(x|z) (B,), each pixel black or white by itself with probability sigmoid(logit)."""
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)  # (B,), eq. 12
    return nll


def gaussian_nll(x, x_mean, x_logvar):  # (B, D) each
    """−log p(x|z) (B,), each pixel normally distributed by itself."""
    scaled = (x - x_mean) ** 2 * torch.exp(-x_logvar)  # (B, D)
    nll = 0.5 * (math.log(2 * math.pi) + x_logvar + scaled).sum(dim=1)  # (B,), eq. 14
    return nll


LIKELIHOODS = {"bernoulli": bernoulli_nll, "gaussian": gaussian_nll}


def kl_divergence(mean, logvar):  # (B, J) each
    """KL(q(z|x) ‖ p(z)) (B,) of the normal q from the standard normal prior, in closed form."""
    kl = 0.5 * (mean * mean + torch.exp(logvar) - 1 - logvar).sum(dim=1)  # (B,), eq. 10
    return kl


# ------------------------------------------------------------------------------------------------------- Model


class VAE(nn.Module):
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z); trained on the negative ELBO.

    The parameters are encoder.fc.weight (H, D), …; config.layers has all.
    """

    def __init__(self, config: VAEConfig):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = nn.ModuleDict(), nn.ModuleDict()
        for name, (fan_out, fan_in) in config.layers.items():
            linear = nn.Linear(fan_in, fan_out)  # weight (fan_out, fan_in), bias (fan_out,), eq. 1
            init_weight(linear.weight, config.activation_after(name))
            nn.init.zeros_(linear.bias)
            part, layer = name.split(".")
            getattr(self, part)[layer] = linear

    def encode(self, x):  # (B, D)
        """Of q(z|x): the mean and log σ², (B, J) each."""
        activation = ACTIVATIONS[self.config.activation]
        h = activation(self.encoder["fc"](x))  # (B, H), eq. 2
        mean = self.encoder["mean"](h)  # (B, J), eq. 3
        logvar = self.encoder["logvar"](h)  # (B, J), eq. 3
        return mean, logvar

    def reparameterize(self, mean, logvar, eps):  # (B, J) each
        """A sample z (B, J) of q(z|x), as a function of noise that does not depend on the parameters."""
        std = torch.exp(0.5 * logvar)  # (B, J), eq. 4
        z = mean + std * eps  # (B, J), eq. 4
        return z

    def decode(self, z):  # (B, J)
        """What p(x|z) is made of: the logits (B, D), or the means and log σ², (B, D) each."""
        activation = ACTIVATIONS[self.config.activation]
        h = activation(self.decoder["fc"](z))  # (B, H), eq. 5
        heads = tuple(self.decoder[head](h) for head in self.config.heads)  # (B, D) each, eq. 6
        return heads

    def forward(self, x, eps):  # (B, D), (B, J)
        """What the decoder says of x, (B, D) each; and of q(z|x) the mean and log σ², (B, J) each."""
        self.config.check_input(x, eps)
        mean, logvar = self.encode(x)  # (B, J) each
        z = self.reparameterize(mean, logvar, eps)  # (B, J)
        heads = self.decode(z)  # (B, D) each
        return heads, mean, logvar

    def loss(self, x, eps):  # (B, D), (B, J)
        """The negative ELBO () in nats: summed over pixels and latents, the mean over the batch."""
        heads, mean, logvar = self.forward(x, eps)
        self.config.check_targets(x)
        nll = LIKELIHOODS[self.config.likelihood]
        reconstruction = nll(x, *heads)  # (B,), eq. 12 or 14
        kl = kl_divergence(mean, logvar)  # (B,), eq. 10
        loss = (reconstruction + kl).mean()  # (), eq. 15
        return loss

    @torch.no_grad()
    def importance_weighted_nll(self, x, eps):  # (B, D), (k, B, J)
        """An estimate of −log p(x) (B,) from k samples of q(z|x): another quantity than the loss, and never above it on average.

        Burda, Grosse & Salakhutdinov 2016. For evaluation: nothing is left to go back through.
        """
        nll = LIKELIHOODS[self.config.likelihood]
        mean, logvar = self.encode(x)  # (B, J) each
        log_weights = []
        for noise in eps:  # (B, J)
            z = self.reparameterize(mean, logvar, noise)  # (B, J)
            log_ratio = 0.5 * (noise * noise + logvar - z * z).sum(dim=1)  # (B,), eq. 36: log p(z) − log q(z|x)
            log_weights.append(log_ratio - nll(x, *self.decode(z)))  # (B,), eq. 36
        log_weights = torch.stack(log_weights)  # (k, B)
        return math.log(len(eps)) - torch.logsumexp(log_weights, dim=0)  # (B,), eq. 35
