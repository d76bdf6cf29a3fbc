"""LeNet-5, level 1: NumPy alone, forward and backward by hand.

LeCun, Bottou, Bengio & Haffner 1998, section II.B. `eq. n` is equation (n) of ../theory.md, where each gradient is derived.
Shapes: B batch, C input maps, O output maps, k x k kernel, H x W pixels of a map, H' x W' after a convolution.
"""

import numpy as np

from ..study import C3_INPUTS, C3_OUTPUTS, RBF_CODES, LeNetConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_uniform(shape, fan_in, rng):
    """The paper's appendix A: uniform within ±2.4 / fan_in, where fan_in counts the inputs of one unit."""
    bound = 2.4 / fan_in  # eq. 31
    return (bound * rng.uniform(-1, 1, shape)).astype(np.float32)


# ------------------------------------------------------------------------------------------------------ Layers
# forward:  y = f(x).  backward:  dx = dL/dx from dy = dL/dy.


def im2col(x, k):  # (B, C, H, W)
    """Every k x k window of x as a column of C k k numbers, for each image and each place where the kernel fits."""
    C = x.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))  # (B, C, H', W', k, k), no copy
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape(C * k * k, -1)  # (C k k, B H' W'), a copy, eq. 20


def col2im(dcolumns, shape, k):  # (C k k, B H' W')
    """The way back of im2col: each pixel adds up what the windows that held it say."""
    B, C, H, W = shape
    rows, cols = H - k + 1, W - k + 1  # H', W'
    dcolumns = dcolumns.reshape(C, k, k, B, rows, cols)
    dx = np.zeros((C, B, H, W), dtype=dcolumns.dtype)
    for i in range(k):
        for j in range(k):
            dx[:, :, i : i + rows, j : j + cols] += dcolumns[:, i, j]  # eq. 24
    return dx.swapaxes(0, 1)  # (B, C, H, W)


def convolution(x, weight):  # (B, C, H, W), (O, C, k, k)
    """The cross-correlation of x with each of the O kernels, at every place where they fit."""
    (B, _, H, W), (O, _, k, _) = x.shape, weight.shape
    columns = im2col(x, k)  # (C k k, B H' W')
    z = weight.reshape(O, -1) @ columns  # (O, B H' W'), eq. 1
    return z.reshape(O, B, H - k + 1, W - k + 1).swapaxes(0, 1)  # (B, O, H', W')


def convolution_backward(dz, x, weight):  # (B, O, H', W')
    """dL/dx and dL/dweight. The columns are made anew: to keep them would take k k times the memory of x."""
    O, k = weight.shape[0], weight.shape[-1]
    columns, dz = im2col(x, k), dz.swapaxes(0, 1).reshape(O, -1)  # (C k k, B H' W'), (O, B H' W')
    dweight = (dz @ columns.T).reshape(weight.shape)  # (O, C, k, k), eq. 21
    dcolumns = weight.reshape(O, -1).T @ dz  # (C k k, B H' W'), eq. 23
    return col2im(dcolumns, x.shape, k), dweight


def sum_of_four(h):  # (B, C, H, W)
    """The sum of each 2 x 2 field; the fields do not overlap."""
    return h[:, :, ::2, ::2] + h[:, :, ::2, 1::2] + h[:, :, 1::2, ::2] + h[:, :, 1::2, 1::2]  # (B, C, H/2, W/2), eq. 3


def sum_of_four_backward(ds):  # (B, C, H/2, W/2)
    return ds.repeat(2, axis=2).repeat(2, axis=3)  # (B, C, H, W), eq. 28


A, S = 1.7159, 2 / 3  # the amplitude, and the slope of the tanh: so squash(1) = 1 and squash(-1) = -1


def squash(z):
    return A * np.tanh(S * z)  # eq. 2


def squash_backward(dh, h):
    return dh * (S * A - S / A * h * h)  # eq. 16


# -------------------------------------------------------------------------------------------------------- Loss


def logsumexp(logits):  # (B, K)
    """log Σ_k exp(logits_k) of each row. The largest logit is taken out first, so that no exp overflows."""
    m = logits.max(axis=1, keepdims=True)  # (B, 1)
    return m + np.log(np.exp(logits - m).sum(axis=1, keepdims=True))  # (B, 1), eq. 11


# ------------------------------------------------------------------------------------------------------- Model


class LeNet5:
    """x -> C1 -> S2 -> C3 -> S4 -> C5 -> F6 -> output; trained to bring F6 close to the code of the digit.

    `params` and, after a backward, `grads` are dicts of arrays under the names c1.weight (6, 1, 5, 5), c1.bias (6,), …:
    see config.shapes. `constants` holds output.codes (10, 84), which are part of the state and are not trained.
    """

    def __init__(self, config: LeNetConfig, rng: np.random.Generator | None = None):
        self.config = config
        self.grads = {}
        self.cache = {}  # what the forward pass leaves for the backward pass
        rng = np.random.default_rng() if rng is None else rng
        self.params = {name: init_uniform(shape, config.fan_in(name), rng) for name, shape in config.shapes.items()}
        self.constants = {"output.codes": RBF_CODES.astype(np.float32)} if config.output == "rbf" else {}  # (10, 84)

    def c3_kernels(self):
        """The kernels (16, 6, 5, 5) of C3: zero where the table leaves a connection out."""
        weight = self.params["c3.weight"]  # (60, 5, 5), or dense (16, 6, 5, 5)
        if self.config.connections == "dense":
            return weight
        kernels = np.zeros((16, 6, 5, 5), dtype=weight.dtype)
        kernels[C3_OUTPUTS, C3_INPUTS] = weight  # eq. 6
        return kernels

    def subsample(self, name, h):  # (B, C, H, W)
        """S2 and S4: each 2 x 2 field becomes one number."""
        p = self.params
        s = sum_of_four(h)  # (B, C, H/2, W/2), eq. 3
        if self.config.subsampling == "average":
            return s / 4  # eq. 5
        z = p[f"{name}.weight"][:, None, None] * s + p[f"{name}.bias"][:, None, None]  # eq. 4
        h = squash(z)  # eq. 2
        self.cache[f"{name}.s"], self.cache[f"{name}.h"] = s, h
        return h

    def subsample_backward(self, name, dh):  # (B, C, H/2, W/2)
        p, grads, cache = self.params, self.grads, self.cache
        if self.config.subsampling == "average":
            return sum_of_four_backward(dh / 4)  # (B, C, H, W), eq. 29
        dz = squash_backward(dh, cache[f"{name}.h"])  # eq. 16
        grads[f"{name}.weight"] = (dz * cache[f"{name}.s"]).sum(axis=(0, 2, 3))  # (C,), eq. 25
        grads[f"{name}.bias"] = dz.sum(axis=(0, 2, 3))  # (C,), eq. 26
        ds = p[f"{name}.weight"][:, None, None] * dz  # eq. 27
        return sum_of_four_backward(ds)  # (B, C, H, W), eq. 28

    def forward(self, x):  # (B, 1, 32, 32)
        """The logits (B, 10) of the images x (B, 1, 32, 32): with RBF outputs, minus the paper's penalties."""
        self.config.check_input(x)
        p, constants, B = self.params, self.constants, len(x)
        self.cache = {}
        z1 = convolution(x, p["c1.weight"]) + p["c1.bias"][:, None, None]  # (B, 6, 28, 28), eq. 1
        h1 = squash(z1)  # eq. 2
        h2 = self.subsample("s2", h1)  # (B, 6, 14, 14)
        z3 = convolution(h2, self.c3_kernels()) + p["c3.bias"][:, None, None]  # (B, 16, 10, 10), eq. 1
        h3 = squash(z3)  # eq. 2
        h4 = self.subsample("s4", h3)  # (B, 16, 5, 5)
        z5 = convolution(h4, p["c5.weight"]) + p["c5.bias"][:, None, None]  # (B, 120, 1, 1), eq. 1
        h5 = squash(z5).reshape(B, 120)  # (B, 120), eq. 2
        z6 = h5 @ p["f6.weight"].T + p["f6.bias"]  # (B, 84), eq. 7
        h6 = squash(z6)  # eq. 2
        if self.config.output == "rbf":
            distance = h6[:, None, :] - constants["output.codes"]  # (B, 10, 84)
            logits = -(distance * distance).sum(axis=2)  # (B, 10), eq. 8
        else:
            logits = h6 @ p["output.weight"].T + p["output.bias"]  # (B, 10), eq. 7
        self.cache.update(x=x, h1=h1, h2=h2, h3=h3, h4=h4, h5=h5, h6=h6)
        return logits

    def loss(self, x, targets):  # (B, 1, 32, 32), (B,)
        """The mean penalty () of the class indices targets (B,); with "map", against that of the other classes."""
        logits = self.forward(x)  # (B, 10)
        self.config.check_targets(targets, batch_size=len(x))
        loss = -logits[np.arange(len(x)), targets].mean()  # (), eq. 9
        if self.config.loss == "map":
            rubbish = np.full_like(logits[:, :1], self.config.rubbish_logit)  # (B, 1): the class of what is no digit
            log_total = logsumexp(np.concatenate([logits, rubbish], axis=1))  # (B, 1), eq. 11
            loss = loss + log_total.mean()  # (), eq. 10
            self.cache["log_total"] = log_total
        self.cache["logits"], self.cache["targets"] = logits, targets
        return loss

    def loss_backward(self):
        """After loss(x, targets): fill grads with dL/dparameter, and return dL/dx (B, 1, 32, 32)."""
        if "logits" not in self.cache:
            raise RuntimeError("LeNet5.loss_backward: nothing to go back through; call loss(x, targets) first")
        logits, targets = self.cache["logits"], self.cache["targets"]  # (B, 10), (B,)
        B, K = logits.shape
        one_hot = np.eye(K, dtype=logits.dtype)[targets]  # (B, 10)
        dlogits = -one_hot / B  # (B, 10), eq. 12
        if self.config.loss == "map":
            probs = np.exp(logits - self.cache["log_total"])  # (B, 10), eq. 14
            dlogits = (probs - one_hot) / B  # (B, 10), eq. 13
        return self.backward(dlogits)

    def backward(self, dlogits):  # (B, 10)
        """After forward(x): fill grads with dL/dparameter for this dL/dlogits, and return dL/dx (B, 1, 32, 32)."""
        if not self.cache:
            raise RuntimeError("LeNet5.backward: nothing to go back through; call forward(x) first")
        p, constants, grads, cache = self.params, self.constants, self.grads, self.cache
        h1, h2, h3, h4, h5, h6 = (cache[f"h{i}"] for i in range(1, 7))
        if dlogits.shape != (len(h6), 10):
            raise ValueError(f"LeNet5.backward: expected dlogits {(len(h6), 10)}, got {dlogits.shape}")
        if self.config.output == "rbf":
            dh6 = 2 * (dlogits @ constants["output.codes"] - dlogits.sum(axis=1, keepdims=True) * h6)  # (B, 84), eq. 15
        else:
            grads["output.weight"] = dlogits.T @ h6  # (10, 84), eq. 17
            grads["output.bias"] = dlogits.sum(axis=0)  # (10,), eq. 18
            dh6 = dlogits @ p["output.weight"]  # (B, 84), eq. 19
        dz6 = squash_backward(dh6, h6)  # eq. 16
        grads["f6.weight"] = dz6.T @ h5  # (84, 120), eq. 17
        grads["f6.bias"] = dz6.sum(axis=0)  # (84,), eq. 18
        dh5 = dz6 @ p["f6.weight"]  # (B, 120), eq. 19
        dz5 = squash_backward(dh5, h5)[:, :, None, None]  # (B, 120, 1, 1), eq. 16
        dh4, grads["c5.weight"] = convolution_backward(dz5, h4, p["c5.weight"])  # (B, 16, 5, 5), eq. 21, 24
        grads["c5.bias"] = dz5.sum(axis=(0, 2, 3))  # (120,), eq. 22
        dh3 = self.subsample_backward("s4", dh4)  # (B, 16, 10, 10), eq. 28
        dz3 = squash_backward(dh3, h3)  # eq. 16
        dh2, dkernels = convolution_backward(dz3, h2, self.c3_kernels())  # (B, 6, 14, 14), eq. 21, 24
        table = self.config.connections == "table"
        grads["c3.weight"] = dkernels[C3_OUTPUTS, C3_INPUTS] if table else dkernels  # (60, 5, 5), eq. 30
        grads["c3.bias"] = dz3.sum(axis=(0, 2, 3))  # (16,), eq. 22
        dh1 = self.subsample_backward("s2", dh2)  # (B, 6, 28, 28), eq. 28
        dz1 = squash_backward(dh1, h1)  # eq. 16
        dx, grads["c1.weight"] = convolution_backward(dz1, cache["x"], p["c1.weight"])  # (B, 1, 32, 32), eq. 21, 24
        grads["c1.bias"] = dz1.sum(axis=(0, 2, 3))  # (6,), eq. 22
        return dx

    def train_step(self, x, targets, lr):  # (B, 1, 32, 32), (B,)
        """One step of gradient descent; returns the loss before it."""
        loss = self.loss(x, targets)
        self.loss_backward()
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 32
        return float(loss)

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters and the codes by name; as in PyTorch they share the model's memory."""
        return {**self.params, **self.constants}

    def load_state_dict(self, state):
        """Copy in every parameter and the codes, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        own = self.state_dict()
        for name in {**own, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (own, state))
            if expected != got:
                raise RuntimeError(f"LeNet5.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: np.array(state[name]) for name in self.params}
        self.constants = {name: np.array(state[name]) for name in self.constants}
