"""Data sets: examples by index, with transforms. The real ones are found as all of this project's are (utils/data_loaders.py)."""

import numpy as np

from utils import data_loaders

from . import utils
from .transforms import Compose, Flatten, Normalize, ToFloat


class Dataset:
    """data[i] with label[i]; a subclass fills both in prepare(). `transform` and `target_transform` are applied on the way out."""

    def __init__(self, train=True, transform=None, target_transform=None):
        self.train = train
        self.transform = transform or (lambda x: x)
        self.target_transform = target_transform or (lambda t: t)
        self.data = self.label = None
        self.prepare()

    def __getitem__(self, index):
        if not np.isscalar(index):
            raise TypeError(f"{type(self).__name__}: examples are taken one at a time; the index is {index!r}")
        x = self.transform(self.data[index])
        return x, None if self.label is None else self.target_transform(self.label[index])

    def __len__(self):
        return len(self.data)

    def prepare(self):
        pass


# --- generated --------------------------------------------------------------------------------------------------------


def get_spiral(train=True):
    """Three arms of 100 points each in the plane: (300, 2) float32, and the arm's number (300,). Generated, the same at every call."""
    rng = np.random.default_rng(1984 if train else 2020)
    t = np.repeat(np.arange(3), 100)
    radius = np.tile(np.arange(100) / 100, 3)
    angle = 4 * t + 4 * radius + 0.2 * rng.standard_normal(300)
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1).astype(np.float32)
    order = rng.permutation(300)
    return x[order], t[order]


class Spiral(Dataset):
    def prepare(self):
        self.data, self.label = get_spiral(self.train)


class SinCurve(Dataset):
    """999 points of a noisy sine, each with the next one as its label; the test set is a cosine without noise. Generated."""

    def prepare(self):
        x = np.linspace(0, 2 * np.pi, 1000)
        y = np.sin(x) + np.random.default_rng(0).uniform(-0.05, 0.05, 1000) if self.train else np.cos(x)
        self.data, self.label = y[:-1, None], y[1:, None]  # (999, 1)


# --- pictures ---------------------------------------------------------------------------------------------------------


FLAT = Compose([Flatten(), ToFloat()])
FLAT_BYTES = Compose([Flatten(), ToFloat(), Normalize(0.0, 255.0)])
CENTRED = Compose([ToFloat(), Normalize(mean=0.5, std=0.5)])


class _Pictures(Dataset):
    def show(self, row=10, col=10):
        """Draw row × col random pictures."""
        import matplotlib.pyplot as plt

        chosen = self.data[np.random.randint(len(self.data), size=row * col)]
        n, c, h, w = chosen.shape
        tiled = chosen.reshape(row, col, c, h, w).transpose(0, 3, 1, 4, 2).reshape(row * h, col * w, c)
        plt.imshow(tiled[..., 0] if c == 1 else tiled, cmap="gray", interpolation="nearest")
        plt.axis("off")
        plt.show()


def _both(train, *splits):
    """The arrays of the training data, whose last part our own loader keeps apart for validation; or those of the test data."""
    *learn, test = splits
    chosen = learn if train else [test]
    return np.concatenate([split.x for split in chosen]), np.concatenate([split.y for split in chosen])


def _bytes(x):
    return np.round(x * 255).astype(np.uint8)


class MNIST(_Pictures):
    """60,000 handwritten digits to train on, 10,000 to test: (1, 28, 28) uint8, which the default transform makes (784,) in [0, 1]."""

    def __init__(self, train=True, transform=FLAT_BYTES, target_transform=None):
        super().__init__(train, transform, target_transform)

    def prepare(self):
        found = data_loaders.load("mnist")
        x, self.label = _both(self.train, found.train, found.valid, found.test)
        self.data = _bytes(x)

    @staticmethod
    def labels():
        return {i: str(i) for i in range(10)}


class Digits(_Pictures):
    """scikit-learn's 1,797 digits, which need no download; the last 250 are the test set. (1, 8, 8), which the default transform makes (64,).

    Not in the textbook: the data set of the steps and tests, in MNIST's place.
    """

    def __init__(self, train=True, transform=FLAT, target_transform=None):
        super().__init__(train, transform, target_transform)

    def prepare(self):
        found = data_loaders.load("digits")
        self.data, self.label = _both(self.train, found.train, found.valid, found.test)

    labels = MNIST.labels


class CIFAR10(_Pictures):
    """50,000 photographs to train on, 10,000 to test: (3, 32, 32) uint8, which the default transform takes off and divides by 0.5."""

    def __init__(self, train=True, transform=CENTRED, target_transform=None):
        super().__init__(train, transform, target_transform)

    def prepare(self):
        found = data_loaders.load("cifar10")
        x, self.label = _both(self.train, found.train, found.valid, found.test)
        self.data = _bytes(x)

    @staticmethod
    def labels():
        return dict(enumerate(data_loaders.CIFAR10_CLASSES))


class CIFAR100(_Pictures):
    """As CIFAR10, with 100 classes (label_type "fine") in 20 groups ("coarse"). Read from its archive, cifar-100-python.tar.gz."""

    URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"

    def __init__(
        self,
        train=True,
        transform=CENTRED,
        target_transform=None,
        label_type="fine",
    ):
        if label_type not in ("fine", "coarse"):
            raise ValueError(f'CIFAR100: label_type is "fine" or "coarse", not {label_type!r}')
        self.label_type = label_type
        super().__init__(train, transform, target_transform)

    def prepare(self):
        batch = self._batch("train" if self.train else "test")
        self.data = batch["data"].reshape(-1, 3, 32, 32)
        self.label = np.array(batch[f"{self.label_type}_labels"])

    @classmethod
    def _batch(cls, name):
        import tarfile

        with tarfile.open(utils.get_file(cls.URL)) as archive:
            return data_loaders.ArrayUnpickler(
                archive.extractfile(f"cifar-100-python/{name}"), encoding="latin1"
            ).load()

    @classmethod
    def labels(cls, label_type="fine"):
        return dict(enumerate(cls._batch("meta")[f"{label_type}_label_names"]))


# --- text -------------------------------------------------------------------------------------------------------------


class Shakespeare(Dataset):
    """tiny-shakespeare, a character at a time as its number in char_to_id, with the next one as its label."""

    def prepare(self):
        text = data_loaders.shakespeare()
        self.char_to_id = {char: i for i, char in enumerate(dict.fromkeys(text))}
        self.id_to_char = {i: char for char, i in self.char_to_id.items()}
        ids = np.array([self.char_to_id[char] for char in text])
        self.data, self.label = ids[:-1], ids[1:]


Shakespear = Shakespeare  # so the original spells it
