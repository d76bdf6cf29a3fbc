"""Variational autoencoder, level 1: NumPy alone, forward and backward by hand.

Kingma & Welling 2013. `eq. n` is equation (n) of ../theory.md, where each gradient is derived.
Shapes: B batch, D pixels, H hidden units, J latent variables, k samples.
Both terms of the loss are sums over an image's pixels or latents, in nats, and means over the batch.
"""

import math

import numpy as np

from ..study import VAEConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(fan_in, fan_out, activation, rng):
    """A weight (fan_out, fan_in) that keeps the size of the signal from layer to layer.

    relu: He et al. 2015, section 2.2. tanh, linear: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation == "relu":
        weight = rng.normal(0, math.sqrt(2 / fan_in), (fan_out, fan_in))  # eq. 33
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))  # eq. 34
        weight = rng.uniform(-bound, bound, (fan_out, fan_in))
    return weight.astype(np.float32)


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(a).  backward:  da = dh * f'(a), where dh stands for dL/dh. All are (B, H) in, (B, H) out.


def tanh(a):
    return np.tanh(a)  # eq. 2


def tanh_backward(dh, h):
    return dh * (1 - h * h)  # eq. 29


def relu(a):
    return np.maximum(a, 0)  # eq. 2


def relu_backward(dh, h):
    return dh * (h > 0)  # eq. 29: where a = 0 exactly the slope is taken as 0


ACTIVATIONS = {"tanh": (tanh, tanh_backward), "relu": (relu, relu_backward)}


# ------------------------------------------------------------------------- The two terms of the negative ELBO
# Each is a function of (B, …) to (B,): one number for an image. dnll and dkl (B,) are the gradients of that number.


def bernoulli_nll(x, logits):  # (B, D) each
    """−log p(x|z) (B,), each pixel black or white by itself with probability sigmoid(logit)."""
    size = np.abs(logits)  # (B, D)
    softplus = 0.5 * (logits + size) + np.log1p(np.exp(-size))  # (B, D), eq. 13: in this form nothing overflows
    nll = (softplus - x * logits).sum(axis=1)  # (B,), eq. 12
    return nll


def bernoulli_nll_backward(dnll, x, logits):  # (B,), (B, D) each
    probs = 0.5 * np.tanh(0.5 * logits) + 0.5  # (B, D), eq. 11: in this form nothing overflows
    dlogits = dnll[:, None] * (probs - x)  # (B, D), eq. 18
    dx = -dnll[:, None] * logits  # (B, D), eq. 19
    return dx, (dlogits,)


def gaussian_nll(x, x_mean, x_logvar):  # (B, D) each
    """−log p(x|z) (B,), each pixel normally distributed by itself."""
    scaled = (x - x_mean) ** 2 * np.exp(-x_logvar)  # (B, D)
    nll = 0.5 * (math.log(2 * math.pi) + x_logvar + scaled).sum(axis=1)  # (B,), eq. 14
    return nll


def gaussian_nll_backward(dnll, x, x_mean, x_logvar):  # (B,), (B, D) each
    precision = np.exp(-x_logvar)  # (B, D)
    dx = dnll[:, None] * (x - x_mean) * precision  # (B, D), eq. 20
    dx_mean = -dx  # (B, D), eq. 21
    dx_logvar = 0.5 * dnll[:, None] * (1 - (x - x_mean) ** 2 * precision)  # (B, D), eq. 22
    return dx, (dx_mean, dx_logvar)


LIKELIHOODS = {
    "bernoulli": (bernoulli_nll, bernoulli_nll_backward),
    "gaussian": (gaussian_nll, gaussian_nll_backward),
}


def kl_divergence(mean, logvar):  # (B, J) each
    """KL(q(z|x) ‖ p(z)) (B,) of the normal q from the standard normal prior, in closed form."""
    kl = 0.5 * (mean * mean + np.exp(logvar) - 1 - logvar).sum(axis=1)  # (B,), eq. 10
    return kl


def kl_divergence_backward(dkl, mean, logvar):  # (B,), (B, J) each
    dmean = dkl[:, None] * mean  # (B, J), eq. 23
    dlogvar = 0.5 * dkl[:, None] * (np.exp(logvar) - 1)  # (B, J), eq. 24
    return dmean, dlogvar


# ------------------------------------------------------------------------------------------------------- Model


class VAE:
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z); trained on the negative ELBO.

    `params` and, after a backward, `grads` are dicts of arrays under the names encoder.fc.weight (H, D), …; config.layers has all.
    """

    def __init__(self, config: VAEConfig, rng: np.random.Generator | None = None):
        self.config = config
        self.params = {}
        self.grads = {}
        self.cache = {}  # what the forward pass leaves for the backward pass
        rng = np.random.default_rng() if rng is None else rng
        for name, (fan_out, fan_in) in config.layers.items():
            self.params[f"{name}.weight"] = init_weight(fan_in, fan_out, config.activation_after(name), rng)
            self.params[f"{name}.bias"] = np.zeros(fan_out, dtype=np.float32)

    def linear(self, name, h):  # (B, fan_in)
        return h @ self.params[f"{name}.weight"].T + self.params[f"{name}.bias"]  # (B, fan_out), eq. 1

    def linear_backward(self, name, dout, h):  # (B, fan_out), (B, fan_in)
        self.grads[f"{name}.weight"] = dout.T @ h  # (fan_out, fan_in), eq. 27
        self.grads[f"{name}.bias"] = dout.sum(axis=0)  # (fan_out,), eq. 27
        dh = dout @ self.params[f"{name}.weight"]  # (B, fan_in), eq. 28
        return dh

    def encode(self, x):  # (B, D)
        """Of q(z|x): the mean and log σ², (B, J) each."""
        activation, _ = ACTIVATIONS[self.config.activation]
        h = activation(self.linear("encoder.fc", x))  # (B, H), eq. 2
        mean = self.linear("encoder.mean", h)  # (B, J), eq. 3
        logvar = self.linear("encoder.logvar", h)  # (B, J), eq. 3
        self.cache.update(x=x, h_encoder=h, mean=mean, logvar=logvar)
        return mean, logvar

    def encode_backward(self, dmean, dlogvar):  # (B, J) each
        cache, (_, activation_backward) = self.cache, ACTIVATIONS[self.config.activation]
        dh = self.linear_backward("encoder.mean", dmean, cache["h_encoder"])  # (B, H), eq. 28
        dh += self.linear_backward("encoder.logvar", dlogvar, cache["h_encoder"])  # (B, H), eq. 28: h feeds both heads
        da = activation_backward(dh, cache["h_encoder"])  # (B, H), eq. 29
        dx = self.linear_backward("encoder.fc", da, cache["x"])  # (B, D), eq. 28
        return dx

    def reparameterize(self, mean, logvar, eps):  # (B, J) each
        """A sample z (B, J) of q(z|x), as a function of noise that does not depend on the parameters."""
        std = np.exp(0.5 * logvar)  # (B, J), eq. 4
        z = mean + std * eps  # (B, J), eq. 4
        self.cache.update(std=std, eps=eps)
        return z

    def reparameterize_backward(self, dz):  # (B, J)
        dmean = dz  # (B, J), eq. 25
        dlogvar = 0.5 * dz * self.cache["std"] * self.cache["eps"]  # (B, J), eq. 26
        return dmean, dlogvar

    def decode(self, z):  # (B, J)
        """What p(x|z) is made of: the logits (B, D), or the means and log σ², (B, D) each."""
        activation, _ = ACTIVATIONS[self.config.activation]
        h = activation(self.linear("decoder.fc", z))  # (B, H), eq. 5
        heads = tuple(self.linear(f"decoder.{head}", h) for head in self.config.heads)  # (B, D) each, eq. 6
        self.cache.update(z=z, h_decoder=h, heads=heads)
        return heads

    def decode_backward(self, dheads):  # (B, D) each
        cache, (_, activation_backward) = self.cache, ACTIVATIONS[self.config.activation]
        dh = sum(
            self.linear_backward(f"decoder.{head}", dhead, cache["h_decoder"])
            for head, dhead in zip(self.config.heads, dheads)
        )  # (B, H), eq. 28
        da = activation_backward(dh, cache["h_decoder"])  # (B, H), eq. 29
        dz = self.linear_backward("decoder.fc", da, cache["z"])  # (B, J), eq. 28
        return dz

    def forward(self, x, eps):  # (B, D), (B, J)
        """What the decoder says of x, (B, D) each; and of q(z|x) the mean and log σ², (B, J) each."""
        self.config.check_input(x, eps)
        self.cache = {}
        mean, logvar = self.encode(x)  # (B, J) each
        z = self.reparameterize(mean, logvar, eps)  # (B, J)
        heads = self.decode(z)  # (B, D) each
        return heads, mean, logvar

    def loss(self, x, eps):  # (B, D), (B, J)
        """The negative ELBO () in nats: summed over pixels and latents, the mean over the batch."""
        heads, mean, logvar = self.forward(x, eps)
        self.config.check_targets(x)
        nll, _ = LIKELIHOODS[self.config.likelihood]
        reconstruction = nll(x, *heads)  # (B,), eq. 12 or 14
        kl = kl_divergence(mean, logvar)  # (B,), eq. 10
        loss = (reconstruction + kl).mean()  # (), eq. 15
        return loss

    def loss_backward(self):
        """After loss(x, eps): fill grads with dL/dparameter, and return dL/dx (B, D)."""
        if not self.cache:
            raise RuntimeError("VAE.loss_backward: nothing to go back through; call loss(x, eps) first")
        cache, (_, nll_backward) = self.cache, LIKELIHOODS[self.config.likelihood]
        B = len(cache["x"])
        dreconstruction = dkl = np.full(B, 1 / B, dtype=cache["x"].dtype)  # (B,), eq. 17: the same for both terms
        dx_as_target, dheads = nll_backward(dreconstruction, cache["x"], *cache["heads"])  # (B, D), (B, D) each
        dmean, dlogvar = kl_divergence_backward(dkl, cache["mean"], cache["logvar"])  # (B, J) each
        dx_as_input = self.backward(dheads, dmean, dlogvar)  # (B, D)
        return dx_as_input + dx_as_target  # eq. 30: x enters twice

    def backward(self, dheads, dmean, dlogvar):  # (B, D) each, (B, J), (B, J)
        """After forward(x, eps): fill grads for these gradients of what forward returned, and return dL/dx (B, D)."""
        if not self.cache:
            raise RuntimeError("VAE.backward: nothing to go back through; call forward(x, eps) first")
        expected = [self.cache[name].shape for name in ("mean", "logvar")]
        if [dmean.shape, dlogvar.shape] != expected:
            raise ValueError(
                f"VAE.backward: expected dmean and dlogvar {expected[0]}, got {dmean.shape}, {dlogvar.shape}"
            )
        dz = self.decode_backward(dheads)  # (B, J)
        dmean_z, dlogvar_z = self.reparameterize_backward(dz)  # (B, J) each
        dx = self.encode_backward(dmean + dmean_z, dlogvar + dlogvar_z)  # (B, D), eq. 31
        return dx

    def train_step(self, x, eps, lr):  # (B, D), (B, J)
        """One step of gradient descent; returns the loss before it."""
        loss = self.loss(x, eps)
        self.loss_backward()
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 32
        return float(loss)

    def importance_weighted_nll(self, x, eps):  # (B, D), (k, B, J)
        """An estimate of −log p(x) (B,) from k samples of q(z|x): another quantity than the loss, and never above it on average.

        Burda, Grosse & Salakhutdinov 2016. For evaluation: nothing is left to go back through.
        """
        nll, _ = LIKELIHOODS[self.config.likelihood]
        mean, logvar = self.encode(x)  # (B, J) each
        log_weights = []
        for noise in eps:  # (B, J)
            z = self.reparameterize(mean, logvar, noise)  # (B, J)
            log_ratio = 0.5 * (noise * noise + logvar - z * z).sum(axis=1)  # (B,), eq. 36: log p(z) − log q(z|x)
            log_weights.append(log_ratio - nll(x, *self.decode(z)))  # (B,), eq. 36
        self.cache = {}
        log_weights = np.stack(log_weights)  # (k, B)
        m = log_weights.max(axis=0)  # (B,)
        return math.log(len(eps)) - m - np.log(np.exp(log_weights - m).sum(axis=0))  # (B,), eq. 35

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return dict(self.params)

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"VAE.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: np.array(state[name]) for name in self.params}
