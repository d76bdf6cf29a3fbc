"""More images with labels: Fashion-MNIST, CIFAR-100, and Imagenette, a small part of ImageNet laid out as ImageNet is."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from utils.data_loaders import (
    MNIST_FILES,
    ImageDataset,
    Split,
    cache_folder,
    check_hash,
    cifar_files,
    cifar_splits,
    dataset,
    find,
    idx_splits,
    places,
    read_arrays,
    read_cifar,
)
from utils.errors import DLFSError
from utils.files import write_atomically

# ------------------------------------------------------------------------------------------------ Fashion-MNIST

FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_FOLDER = "FashionMNIST"
FASHION_SHA256 = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)
FASHION_FILES = {  # the names and shapes are MNIST's: only the checksum tells them apart
    name: (sha256, shape) for (name, (_, shape)), sha256 in zip(MNIST_FILES.items(), FASHION_SHA256)
}
FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataset("fashion-mnist")
def fashion_mnist() -> ImageDataset:
    """Fashion-MNIST, clothes in place of MNIST's digits, (N, 1, 28, 28) float32 in [0, 1]; labels (N,) int64. 55,000 / 5,000 / 10,000
    examples.

    Xiao, Rasul & Vollgraf 2017. The validation set is the last 5,000 of the 60,000 training examples.
    """
    return ImageDataset("fashion-mnist", *idx_splits(FASHION_FOLDER, FASHION_URL, FASHION_FILES), FASHION_CLASSES)


# ---------------------------------------------------------------------------------------------------- CIFAR-100

CIFAR100_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CIFAR100_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
CIFAR100_FOLDER = "cifar-100-python"
CIFAR100_FILES = {
    "train": "md5:16019d7e3df5f24257cddd939b257f8d",
    "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "md5:7973b15100ade9c7d40fb424638fde48",
}


@dataset("cifar100")
def cifar100() -> ImageDataset:
    """CIFAR-100, colour photographs of a hundred classes (N, 3, 32, 32) float32 in [0, 1]; labels (N,) int64. 45,000 / 5,000 / 10,000
    examples.

    Krizhevsky 2009. The labels are the hundred fine ones. The validation set is the last 5,000 of the 50,000 training examples.
    """
    *files, meta = cifar_files(CIFAR100_FOLDER, CIFAR100_FILES, CIFAR100_URL, CIFAR100_SHA256)
    train, test = (read_cifar(path, CIFAR100_FILES[path.name], "fine_labels") for path in files)
    names = read_arrays(meta, CIFAR100_FILES["meta"])["fine_label_names"]
    return ImageDataset("cifar100", *cifar_splits([train], test), tuple(names))


# --------------------------------------------------------------------------------------------------- Imagenette

IMAGENETTE_URL = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
IMAGENETTE_SHA256 = "64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5"
IMAGENETTE_FOLDER = "imagenette2-160"
IMAGENETTE_SIZE = 64  # pixels each way: the short side is made so long, and the middle is cut out
IMAGENETTE_VALID = 500
IMAGENETTE_COUNTS = {"train": 9469, "val": 3925}
IMAGENETTE_CLASSES = {  # ImageNet's name of a class, a number in WordNet: what it shows
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


@dataset("imagenette")
def imagenette() -> ImageDataset:
    """Imagenette, photographs of ten of ImageNet's classes (N, 3, 64, 64) float32 in [0, 1]; labels (N,) int64. 8,969 / 500 / 3,925
    examples.

    Howard 2019; Deng et al. 2009. The training images are shuffled once, and the last 500 of them validate; those in ImageNet's
    folder val are for the test. A set of your own in such folders takes the same few lines.
    """
    path = cache_folder() / f"imagenette-{IMAGENETTE_SIZE}.npz"
    if not path.is_file():
        write_atomically(path, encode_imagenette())
    try:
        with np.load(path) as arrays:
            x, y, test_x, test_y = (arrays[name] for name in ("train_x", "train_y", "val_x", "val_y"))
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DLFSError(f"{path} is damaged ({error}). Delete it to have it made again") from None
    order = np.random.default_rng(0).permutation(len(y))
    x, test_x = (images.astype(np.float32) / 255 for images in (x[order], test_x))
    y, test_y = (labels.astype(np.int64) for labels in (y[order], test_y))
    kept = len(y) - IMAGENETTE_VALID
    splits = Split(x[:kept], y[:kept]), Split(x[kept:], y[kept:]), Split(test_x, test_y)
    return ImageDataset("imagenette", *splits, tuple(IMAGENETTE_CLASSES.values()))


def imagenette_files() -> Iterator[tuple[str, Path | BinaryIO]]:
    """Each image as (its path such as train/n01440764/a.JPEG, its file): from the folder, else straight from the archive."""
    for root in (place / IMAGENETTE_FOLDER for place in places()):
        if all((root / split).is_dir() for split in IMAGENETTE_COUNTS):
            for path in sorted(root.glob("*/*/*.JPEG")):
                yield path.relative_to(root).as_posix(), path
            return
    archive = find(Path(IMAGENETTE_URL).name, url=IMAGENETTE_URL, sha256=IMAGENETTE_SHA256)
    check_hash(archive, IMAGENETTE_SHA256)
    with tarfile.open(archive) as packed:  # nothing is unpacked: no path in it can lead anywhere
        for member in sorted(packed.getmembers(), key=lambda member: member.name):
            if member.name.endswith(".JPEG") and (file := packed.extractfile(member)):
                yield member.name.removeprefix(f"{IMAGENETTE_FOLDER}/"), io.BytesIO(file.read())


def encode_imagenette() -> bytes:
    """The images, small and square, and their labels in NumPy's npz format."""
    arrays: dict[str, Any] = read_classes(imagenette_files(), tuple(IMAGENETTE_CLASSES), IMAGENETTE_SIZE)
    found = {split: len(arrays.get(f"{split}_y", ())) for split in IMAGENETTE_COUNTS}
    if found != IMAGENETTE_COUNTS:
        raise DLFSError(
            f"{IMAGENETTE_FOLDER} is not the original: it holds {found} images of the ten classes, expected {IMAGENETTE_COUNTS}. "
            "Delete it to have it fetched"
        )
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def read_classes(
    files: Iterable[tuple[str, Path | BinaryIO]], classes: Sequence[str], size: int
) -> dict[str, np.ndarray]:
    """Images laid out as ImageNet's, as split_x (N, 3, size, size) uint8 and split_y (N,) uint8, which index classes.

    files: each image as (split/class/name, its file); those of other classes are left out. At most 256 classes.
    """
    found: dict[str, list[np.ndarray]] = {}
    for name, file in files:
        split, kind, _ = name.split("/")
        if kind in classes:
            try:
                image = square(file, size)
            except OSError as error:  # Pillow's, of an image that it cannot read
                raise DLFSError(
                    f"{name} is damaged ({error}). Delete the folder that holds it to have it fetched"
                ) from None
            found.setdefault(f"{split}_x", []).append(image)
            found.setdefault(f"{split}_y", []).append(np.array(classes.index(kind), dtype=np.uint8))
    return {name: np.stack(arrays) for name, arrays in found.items()}


def square(file: Path | BinaryIO, size: int) -> np.ndarray:
    """The middle of a photograph (3, size, size) uint8, its short side made `size` long, as CLIP looks at images."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
