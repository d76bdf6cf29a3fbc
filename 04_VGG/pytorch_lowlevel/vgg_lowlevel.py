"""VGG, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Simonyan & Zisserman 2014. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are torchvision's.
Shapes: B batch, C channels in, M channels out, H x W pixels, H' x W' after pooling, S x S after the last; D inputs and E outputs
of a linear layer; K classes.
"""

import torch
import torch.nn.functional as F

from ..study import VGGConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """Weights N(0, 0.01²) or He's, biases 0; BatchNorm starts with γ = 1, β = 0."""
    if len(shape) > 1:
        return config.weight_std(shape) * torch.randn(shape, generator=generator)  # eq. 21, 22
    return torch.zeros(shape) if name.endswith(".bias") else torch.ones(shape)


# ------------------------------------------------------------------------------------------------------ Layers


class Layer:
    """It finds its parameters in the model's dict, under its own name."""

    def __init__(self, model, name):
        self.model, self.name = model, name

    def parameters(self):
        return self.model.params[f"{self.name}.weight"], self.model.params[f"{self.name}.bias"]


class Conv2d(Layer):
    def forward(self, x):  # (B, C, H, W)
        weight, bias = self.parameters()  # (M, C, k, k), (M,)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)  # (B, M, H, W), eq. 1


EPSILON, MOMENTUM = 1e-5, 0.1  # of BatchNorm


class BatchNorm2d(Layer):
    """Each channel with mean 0 and variance 1 over the batch, in evaluation by the running statistics; then γ and β."""

    def forward(self, x):  # (B, C, H, W)
        gamma, beta = self.parameters()  # (C,), (C,)
        buffers, name = self.model.buffers, self.name
        mean, var = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]  # (C,), (C,)
        if self.model.training:
            count = x.numel() // x.shape[1]  # numbers in a channel, B H W: 4 at least, as a pooling follows
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)  # (C,), (C,), eq. 4
            with torch.no_grad():
                unbiased = var * (count / (count - 1))
                buffers[f"{name}.running_mean"] += MOMENTUM * (mean - buffers[f"{name}.running_mean"])  # eq. 6
                buffers[f"{name}.running_var"] += MOMENTUM * (unbiased - buffers[f"{name}.running_var"])  # eq. 6
                buffers[f"{name}.num_batches_tracked"] += 1
        standard = (x - per_channel(mean)) / per_channel(torch.sqrt(var + EPSILON))  # (B, C, H, W), eq. 5
        return per_channel(gamma) * standard + per_channel(beta)


def per_channel(v):  # (C,)
    return v[:, None, None]  # (C, 1, 1)


class ReLU(Layer):
    def forward(self, x):
        return torch.clamp(x, min=0)  # eq. 2


class MaxPool2d(Layer):
    def forward(self, x):  # (B, M, H, W)
        return F.max_pool2d(x, kernel_size=2, stride=2)  # (B, M, H', W'), eq. 3


class Linear(Layer):
    def forward(self, x):  # (B, D)
        weight, bias = self.parameters()  # (E, D), (E,)
        return x @ weight.T + bias  # (B, E), eq. 7


class Dropout(Layer):
    def forward(self, x):
        """Each element 0 with probability p, else 1 / (1 - p) as large, so that the mean stays; in evaluation x itself."""
        p = self.model.config.dropout
        if not self.model.training or p == 0:
            return x
        mask = (torch.rand_like(x) >= p).to(x.dtype)  # eq. 8
        return mask * x / (1 - p)  # eq. 9


LAYERS = {"conv": Conv2d, "bn": BatchNorm2d, "relu": ReLU, "pool": MaxPool2d}


def make_features(model):
    """The convolutions, each with its ReLU, and the poolings, in one row: features.0, features.1, …"""
    return [LAYERS[kind](model, f"features.{i}") for i, (kind, *_) in enumerate(model.config.features)]


def make_classifier(model):
    """The linear layers, with a ReLU and dropout after each but the last: classifier.0, .3 and .6 in the paper's nets."""
    kinds = [Linear, ReLU, Dropout] * len(model.config.hidden) + [Linear]
    return [kind(model, f"classifier.{i}") for i, kind in enumerate(kinds)]


# ------------------------------------------------------------------------------------------------------- Model


class VGG:
    """x -> stages of 3 x 3 convolutions and max pooling -> linear layers -> logits; trained on softmax cross entropy.

    `params` is a dict of leaf tensors under the names features.0.weight, features.0.bias, …, classifier.0.weight, …: see
    config.shapes; their gradients are `.grad`. `buffers` holds the running statistics of BatchNorm.
    """

    def __init__(self, config: VGGConfig, generator: torch.Generator | None = None):
        self.config = config
        self.training = True
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        self.buffers = {}
        for i, (kind, *numbers) in enumerate(config.features):
            if kind == "bn":
                self.buffers[f"features.{i}.running_mean"] = torch.zeros(numbers)  # (C,)
                self.buffers[f"features.{i}.running_var"] = torch.ones(numbers)  # (C,)
                self.buffers[f"features.{i}.num_batches_tracked"] = torch.tensor(0)  # ()
        self.velocities = {}  # of the parameters, by name: what momentum remembers
        self.features = make_features(self)
        self.classifier = make_classifier(self)
        for param in self.params.values():
            param.requires_grad_()

    def train(self, mode=True):
        """In training there is dropout, and BatchNorm takes its statistics from the batch."""
        self.training = mode

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of the config's size."""
        self.config.check_input(x)
        h = x
        for layer in self.features:
            h = layer.forward(h)  # (B, M, H, W), or (B, M, H', W') after pooling
        h = h.flatten(1)  # (B, D): channel by channel, each row by row
        for layer in self.classifier:
            h = layer.forward(h)  # (B, E)
        logits = h  # (B, K)
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - torch.logsumexp(logits, dim=1, keepdim=True)  # (B, K)
        loss = -log_probs[torch.arange(len(x)), targets].mean()  # (), eq. 10
        return loss

    def train_step(self, x, targets, lr, momentum=0.0, weight_decay=0.0):  # (B, C, H, W), (B,)
        """One step of gradient descent, with the paper's momentum=0.9 and weight_decay=5e-4; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for name, param in self.params.items():
                step = param.grad + weight_decay * param
                if momentum:
                    step = momentum * self.velocities.get(name, 0.0) + step  # eq. 24
                    self.velocities[name] = step
                param -= lr * step  # eq. 25
        return loss.item()

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters and the running statistics by name; as in PyTorch they share the model's memory."""
        return {**{name: param.detach() for name, param in self.params.items()}, **self.buffers}

    def load_state_dict(self, state):
        """Copy in every parameter and buffer, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        own = self.state_dict()
        for name in {**own, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (own, state))
            if expected != got:
                raise RuntimeError(f"VGG.load_state_dict: {name}: expected shape {expected}, got {got}")
        for own, tracked in ((self.params, True), (self.buffers, False)):
            for name in own:
                own[name] = torch.as_tensor(state[name]).detach().clone().requires_grad_(tracked)
        self.velocities.clear()
