"""Models: layers that stand for a whole network."""

import numpy as np

import dezero.functions as F
import dezero.layers as L

from . import utils
from .core import as_variable
from .layers import Layer


class Model(Layer):
    def plot(self, *inputs, to_file="model.png"):
        """Draw the graph of forward(*inputs) into a file."""
        return utils.plot_dot_graph(self.forward(*map(as_variable, inputs)), verbose=True, to_file=to_file)


class Sequential(Model):
    """One layer after the other; functions may stand among them."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = []
        for i, layer in enumerate(layers):
            setattr(self, f"l{i}", layer)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class MLP(Model):
    """Linear layers of these sizes, with the activation between them."""

    def __init__(self, fc_output_sizes, activation=F.sigmoid):
        super().__init__()
        self.activation = activation
        self.layers = []
        for i, size in enumerate(fc_output_sizes):
            layer = L.Linear(size)
            setattr(self, f"l{i}", layer)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def _no_weights(pretrained):
    if pretrained:
        raise NotImplementedError(
            "pretrained: no weights are downloaded; give load_weights(path) an .npz file of the same names"
        )


class VGG16(Model):
    """Simonyan & Zisserman 2015, configuration D: 138,357,544 parameters on 224 × 224 images. The deep study of it is 04_VGG/."""

    BLOCKS = (
        (64, 2),
        (128, 2),
        (256, 3),
        (512, 3),
        (512, 3),
    )  # channels and number of the 3 × 3 convolutions, a pooling after each block

    def __init__(self, pretrained=False):
        super().__init__()
        _no_weights(pretrained)
        for block, (channels, count) in enumerate(self.BLOCKS, 1):
            for i in range(1, count + 1):
                setattr(self, f"conv{block}_{i}", L.Conv2d(channels, kernel_size=3, stride=1, pad=1))
        self.fc6, self.fc7, self.fc8 = L.Linear(4096), L.Linear(4096), L.Linear(1000)

    def forward(self, x):  # (N, 3, H, W)
        for block, (_, count) in enumerate(self.BLOCKS, 1):
            for i in range(1, count + 1):
                x = F.relu(getattr(self, f"conv{block}_{i}")(x))
            x = F.pooling(x, 2, 2)
        x = F.flatten(x)
        x = F.dropout(F.relu(self.fc6(x)))
        x = F.dropout(F.relu(self.fc7(x)))
        return self.fc8(x)  # (N, 1000)

    @staticmethod
    def preprocess(image, size=(224, 224), dtype=np.float32):
        """A PIL image as the array (3, H, W) that VGG's published weights were trained on: BGR, the mean of ImageNet taken off."""
        image = image.convert("RGB")
        pixels = np.asarray(image.resize(size) if size else image, dtype=dtype)[:, :, ::-1]
        return (pixels - np.array([103.939, 116.779, 123.68], dtype=dtype)).transpose(2, 0, 1)


class ResNet(Model):
    """He et al. 2016 with bottleneck blocks: 50, 101 or 152 layers. The deep study of it is 05_ResNet/."""

    BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

    def __init__(self, n_layers=152, pretrained=False):
        super().__init__()
        _no_weights(pretrained)
        if n_layers not in self.BLOCKS:
            raise ValueError(f"ResNet: n_layers must be 50, 101 or 152, not {n_layers}")
        self.conv1, self.bn1 = L.Conv2d(64, 7, 2, 3), L.BatchNorm()
        for i, count in enumerate(self.BLOCKS[n_layers]):
            setattr(self, f"res{i + 2}", Stage(count, 64 * 2**i, 256 * 2**i, stride=1 if i == 0 else 2))
        self.fc6 = L.Linear(1000)

    def forward(self, x):  # (N, 3, H, W)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.pooling(x, kernel_size=3, stride=2)
        for stage in (self.res2, self.res3, self.res4, self.res5):
            x = stage(x)
        return self.fc6(F.average(x, axis=(2, 3)))  # (N, 1000)


class ResNet50(ResNet):
    def __init__(self, pretrained=False):
        super().__init__(50, pretrained)


class ResNet101(ResNet):
    def __init__(self, pretrained=False):
        super().__init__(101, pretrained)


class ResNet152(ResNet):
    def __init__(self, pretrained=False):
        super().__init__(152, pretrained)


class Stage(Layer):
    """`count` bottlenecks, a, b1, b2, …, of which the first changes size and channels."""

    def __init__(self, count, mid_channels, out_channels, stride):
        super().__init__()
        self.names = ["a", *(f"b{i}" for i in range(1, count))]
        for name in self.names:
            first = name == "a"
            setattr(self, name, Bottleneck(mid_channels, out_channels, stride if first else 1, projects=first))

    def forward(self, x):
        for name in self.names:
            x = getattr(self, name)(x)
        return x


class Bottleneck(Layer):
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a shortcut, which is a 1 × 1 convolution where it `projects`. The stride is the first one's."""

    def __init__(self, mid_channels, out_channels, stride, projects):
        super().__init__()
        self.conv1, self.bn1 = L.Conv2d(mid_channels, 1, stride, 0, nobias=True), L.BatchNorm()
        self.conv2, self.bn2 = L.Conv2d(mid_channels, 3, 1, 1, nobias=True), L.BatchNorm()
        self.conv3, self.bn3 = L.Conv2d(out_channels, 1, 1, 0, nobias=True), L.BatchNorm()
        self.projects = projects
        if projects:
            self.conv4, self.bn4 = L.Conv2d(out_channels, 1, stride, 0, nobias=True), L.BatchNorm()

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = F.relu(self.bn2(self.conv2(h)))
        h = self.bn3(self.conv3(h))
        return F.relu(h + (self.bn4(self.conv4(x)) if self.projects else x))
