"""LeNet-5, level 2: tensors and autograd, parameters in a dict, no nn.Module.

LeCun, Bottou, Bengio & Haffner 1998, section II.B. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, C input maps, O output maps, k x k kernel, H x W pixels of a map, H' x W' after a convolution.
"""

import torch
import torch.nn.functional as F

from ..study import C3_INPUTS, C3_OUTPUTS, RBF_CODES, LeNetConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_uniform(shape, fan_in, generator):
    """The paper's appendix A: uniform within ±2.4 / fan_in, where fan_in counts the inputs of one unit."""
    bound = torch.as_tensor(2.4 / fan_in, dtype=torch.get_default_dtype())  # eq. 31
    return bound * (2 * torch.rand(shape, generator=generator) - 1)


# ------------------------------------------------------------------------------------------------------ Layers
# forward:  y = f(x).


def convolution(x, weight):  # (B, C, H, W), (O, C, k, k)
    """The cross-correlation of x with each of the O kernels, at every place where they fit: F.conv2d(x, weight)."""
    (B, _, H, W), (O, _, k, _) = x.shape, weight.shape
    columns = F.unfold(x, k)  # (B, C k k, H' W'), eq. 20
    return (weight.reshape(O, -1) @ columns).reshape(B, O, H - k + 1, W - k + 1)  # (B, O, H', W'), eq. 1


def sum_of_four(h):  # (B, C, H, W)
    """The sum of each 2 x 2 field; the fields do not overlap."""
    return h[:, :, ::2, ::2] + h[:, :, ::2, 1::2] + h[:, :, 1::2, ::2] + h[:, :, 1::2, 1::2]  # (B, C, H/2, W/2), eq. 3


A, S = 1.7159, 2 / 3  # the amplitude, and the slope of the tanh: so squash(1) = 1 and squash(-1) = -1


def squash(z):
    return A * torch.tanh(S * z)  # eq. 2


# ------------------------------------------------------------------------------------------------------- Model


class LeNet5:
    """x -> C1 -> S2 -> C3 -> S4 -> C5 -> F6 -> output; trained to bring F6 close to the code of the digit.

    `params` is a dict of leaf tensors under the names c1.weight (6, 1, 5, 5), c1.bias (6,), …: see config.shapes; their
    gradients are `.grad`. `constants` holds output.codes (10, 84), which are part of the state and are not trained.
    """

    def __init__(self, config: LeNetConfig, generator: torch.Generator | None = None):
        self.config = config
        self.params = {
            name: init_uniform(shape, config.fan_in(name), generator).requires_grad_()
            for name, shape in config.shapes.items()
        }
        codes = torch.as_tensor(RBF_CODES, dtype=torch.get_default_dtype())  # (10, 84)
        self.constants = {"output.codes": codes} if config.output == "rbf" else {}

    def c3_kernels(self):
        """The kernels (16, 6, 5, 5) of C3: zero where the table leaves a connection out."""
        weight = self.params["c3.weight"]  # (60, 5, 5), or dense (16, 6, 5, 5)
        if self.config.connections == "dense":
            return weight
        kernels = torch.zeros(16, 6, 5, 5, dtype=weight.dtype, device=weight.device)
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
        return h

    def forward(self, x):  # (B, 1, 32, 32)
        """The logits (B, 10) of the images x (B, 1, 32, 32): with RBF outputs, minus the paper's penalties."""
        self.config.check_input(x)
        p, constants, B = self.params, self.constants, len(x)
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
            logits = -(distance * distance).sum(dim=2)  # (B, 10), eq. 8
        else:
            logits = h6 @ p["output.weight"].T + p["output.bias"]  # (B, 10), eq. 7
        return logits

    def loss(self, x, targets):  # (B, 1, 32, 32), (B,)
        """The mean penalty () of the class indices targets (B,); with "map", against that of the other classes."""
        logits = self.forward(x)  # (B, 10)
        self.config.check_targets(targets, batch_size=len(x))
        loss = -logits[torch.arange(len(x)), targets].mean()  # (), eq. 9
        if self.config.loss == "map":
            rubbish = torch.full_like(logits[:, :1], self.config.rubbish_logit)  # (B, 1): the class of what is no digit
            log_total = torch.logsumexp(torch.cat([logits, rubbish], dim=1), dim=1, keepdim=True)  # (B, 1), eq. 11
            loss = loss + log_total.mean()  # (), eq. 10
        return loss

    def train_step(self, x, targets, lr):  # (B, 1, 32, 32), (B,)
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 32
        return loss.item()

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters and the codes by name; as in PyTorch they share the model's memory."""
        return {**{name: param.detach() for name, param in self.params.items()}, **self.constants}

    def load_state_dict(self, state):
        """Copy in every parameter and the codes, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        own = self.state_dict()
        for name in {**own, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (own, state))
            if expected != got:
                raise RuntimeError(f"LeNet5.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        self.constants = {name: torch.as_tensor(state[name]).detach().clone() for name in self.constants}
