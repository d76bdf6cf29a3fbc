"""Variational autoencoder, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Kingma & Welling 2013. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, D pixels, H hidden units, J latent variables, k samples.
Both terms of the loss are sums over an image's pixels or latents, in nats, and means over the batch.
"""

import math

import torch

from ..study import VAEConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(fan_in, fan_out, activation, generator):
    """A weight (fan_out, fan_in) that keeps the size of the signal from layer to layer.

    relu: He et al. 2015, section 2.2. tanh, linear: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation == "relu":
        weight = math.sqrt(2 / fan_in) * torch.randn(fan_out, fan_in, generator=generator)  # eq. 33
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))  # eq. 34
        weight = bound * (2 * torch.rand(fan_out, fan_in, generator=generator) - 1)
    return weight


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(a).  All are (B, H) in, (B, H) out.

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}  # eq. 2


# ------------------------------------------------------------------------- The two terms of the negative ELBO
# Each is a function of (B, …) to (B,): one number for an image.


def bernoulli_nll(x, logits):  # (B, D) each
    """−log p(x|z) (B,), each pixel black or white by itself with probability sigmoid(logit)."""
    size = logits.abs()  # (B, D)
    softplus = 0.5 * (logits + size) + torch.log1p(torch.exp(-size))  # (B, D), eq. 13: in this form nothing overflows
    nll = (softplus - x * logits).sum(dim=1)  # (B,), eq. 12
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


class VAE:
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z); trained on the negative ELBO.

    `params` is a dict of leaf tensors under the names encoder.fc.weight (H, D), …; config.layers has all. Their gradients are `.grad`.
    """

    def __init__(self, config: VAEConfig, generator: torch.Generator | None = None):
        self.config = config
        self.params = {}
        for name, (fan_out, fan_in) in config.layers.items():
            self.params[f"{name}.weight"] = init_weight(fan_in, fan_out, config.activation_after(name), generator)
            self.params[f"{name}.bias"] = torch.zeros(fan_out)
        for param in self.params.values():
            param.requires_grad_()

    def linear(self, name, h):  # (B, fan_in)
        return h @ self.params[f"{name}.weight"].T + self.params[f"{name}.bias"]  # (B, fan_out), eq. 1

    def encode(self, x):  # (B, D)
        """Of q(z|x): the mean and log σ², (B, J) each."""
        activation = ACTIVATIONS[self.config.activation]
        h = activation(self.linear("encoder.fc", x))  # (B, H), eq. 2
        mean = self.linear("encoder.mean", h)  # (B, J), eq. 3
        logvar = self.linear("encoder.logvar", h)  # (B, J), eq. 3
        return mean, logvar

    def reparameterize(self, mean, logvar, eps):  # (B, J) each
        """A sample z (B, J) of q(z|x), as a function of noise that does not depend on the parameters."""
        std = torch.exp(0.5 * logvar)  # (B, J), eq. 4
        z = mean + std * eps  # (B, J), eq. 4
        return z

    def decode(self, z):  # (B, J)
        """What p(x|z) is made of: the logits (B, D), or the means and log σ², (B, D) each."""
        activation = ACTIVATIONS[self.config.activation]
        h = activation(self.linear("decoder.fc", z))  # (B, H), eq. 5
        heads = tuple(self.linear(f"decoder.{head}", h) for head in self.config.heads)  # (B, D) each, eq. 6
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

    def train_step(self, x, eps, lr):  # (B, D), (B, J)
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, eps)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 32
        return loss.item()

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

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return {name: param.detach() for name, param in self.params.items()}

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"VAE.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
