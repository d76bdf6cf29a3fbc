"""The data sets, each as NumPy arrays in three splits that are the same on every machine.

A set is looked for in the folder that DLFS_DATA names, then in the user's cache, then downloaded with a checksum. What
scikit-learn brings with it needs none of that: `digits` always works offline.

A new set is a function that returns a Dataset, under @dataset("name"), here or in a module of utils/data_sets.
"""

import gzip
import hashlib
import importlib
import io
import math
import os
import pickle
import pkgutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils import data_sets
from utils.downloads import part_of, resuming
from utils.errors import DLFSError, unknown_name
from utils.files import write_atomically


@dataclass(frozen=True)
class Split:
    """Examples in order: x[i] belongs to y[i]."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """train to learn from, valid to watch, test to be looked at once, at the end."""

    name: str
    train: Split
    valid: Split
    test: Split


@dataclass(frozen=True)
class ImageDataset(Dataset):
    """Images x (N, C, H, W) float32 in [0, 1] and labels y (N,) int64; `classes[y[i]]` says what x[i] shows."""

    classes: tuple[str, ...] = ()


def class_names(data: Dataset) -> Sequence[str]:
    """The names of the classes of a set of images, in the order of their labels; of a plain Dataset, the ten digits."""
    return data.classes if isinstance(data, ImageDataset) else [str(digit) for digit in range(10)]


DATASETS: dict[str, Callable[[], Dataset]] = {}


def dataset(name: str):
    """Decorator: `load(name)` calls this function."""

    def register(function: Callable[[], Dataset]) -> Callable[[], Dataset]:
        DATASETS[name] = function
        return function

    return register


def load(name: str) -> Dataset:
    """The data set of that name; UsageError for a name that is unknown, DLFSError for one that cannot be had."""
    register_all()
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    return DATASETS[name]()


def register_all() -> None:
    """Import the modules of utils/data_sets, so that DATASETS holds every data set."""
    for module in pkgutil.iter_modules(data_sets.__path__):
        importlib.import_module(f"{data_sets.__name__}.{module.name}")


# ------------------------------------------------------------------------------------------------------ Bundled


@dataset("digits")
def digits() -> Dataset:
    """1,797 real handwritten digits, (N, 1, 8, 8) float32 in [0, 1]; labels (N,) int64. Bundled with scikit-learn.

    Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits, its test part. The order is shuffled once, so
    that every split holds every writer.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    x = (bunch.images[order, None] / 16).astype(np.float32)  # pixels count 0..16 set bits
    y = bunch.target[order].astype(np.int64)
    return Dataset("digits", Split(x[:1297], y[:1297]), Split(x[1297:1547], y[1297:1547]), Split(x[1547:], y[1547:]))


@dataset("sine")
def sine() -> Dataset:
    """Sine waves of random frequency, phase and height with a little noise: x (N, 50, 1) float32 is a wave, y the same one
    step further on. Generated; 1,000 / 200 / 200 waves, with periods of 10 to 40 steps.
    """
    rng = np.random.default_rng(0)
    period, phase, height = (rng.uniform(low, high, (1400, 1)) for low, high in ((10, 40), (0, 2 * math.pi), (0.5, 1)))
    waves = height * np.sin(2 * math.pi * np.arange(51) / period + phase) + 0.01 * rng.standard_normal((1400, 51))
    x, y = waves[:, :-1, None].astype(np.float32), waves[:, 1:, None].astype(np.float32)
    return Dataset("sine", Split(x[:1000], y[:1000]), Split(x[1000:1200], y[1000:1200]), Split(x[1200:], y[1200:]))


# -------------------------------------------------------------------------------------------------------- MNIST

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_FILES = {  # file: (its sha256, the shape of what it holds)
    "train-images-idx3-ubyte.gz": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", (60000, 28, 28)),
    "train-labels-idx1-ubyte.gz": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", (60000,)),
    "t10k-images-idx3-ubyte.gz": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", (10000, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", (10000,)),
}


@dataset("mnist")
def mnist() -> Dataset:
    """MNIST, (N, 1, 28, 28) float32 in [0, 1]; labels (N,) int64. 55,000 / 5,000 / 10,000 examples.

    LeCun, Bottou, Bengio & Haffner 1998. The validation set is the last 5,000 of the 60,000 training examples.
    """
    return Dataset("mnist", *idx_splits("MNIST", MNIST_URL, MNIST_FILES))


def idx_splits(folder: str, url: str, files: Mapping[str, tuple[str, tuple[int, ...]]]) -> tuple[Split, Split, Split]:
    """MNIST's three splits, or those of a set in its format: images (N, 1, 28, 28) float32 in [0, 1], labels (N,) int64."""
    arrays = []
    for name, (sha256, shape) in files.items():
        path = find(folder, "raw", name, url=url + name, sha256=sha256)
        arrays.append(read_idx(path, shape))
        check_hash(path, sha256)
    x, y, test_x, test_y = arrays
    x, test_x = (images[:, None].astype(np.float32) / 255 for images in (x, test_x))
    y, test_y = y.astype(np.int64), test_y.astype(np.int64)
    return Split(x[:55000], y[:55000]), Split(x[55000:], y[55000:]), Split(test_x, test_y)


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array of unsigned bytes in a gzipped IDX file, checked to have this shape.

    The format: two zero bytes, 0x08 for unsigned bytes, the number of dimensions; each dimension as a big-endian int32;
    then the bytes in C order.
    """

    def damaged(found: str) -> DLFSError:
        expected = f"a gzipped IDX file of unsigned bytes, shape {shape}"
        return DLFSError(
            f"{path} is damaged: {found}, expected {expected}. Delete it to have it fetched again. {WORKS_OFFLINE}"
        )

    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(f"it does not unpack ({error})") from None
    header = 4 + 4 * len(shape)
    if len(content) < header or content[:3] != b"\0\0\x08" or content[3] != len(shape):
        raise damaged(f"its header is {content[:4].hex(' ') or 'empty'}")
    found = tuple(int(n) for n in np.frombuffer(content, ">i4", len(shape), offset=4))
    if found != shape:
        raise damaged(f"it holds shape {found}")
    if len(content) - header != math.prod(shape):
        raise damaged(f"it holds {len(content) - header:,} of {math.prod(shape):,} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


# ----------------------------------------------------------------------------------------------------- CIFAR-10

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR10_FILES = {  # file: its sha256; 10,000 images each
    "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
    "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
    "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
    "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
    "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
    "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
}
CIFAR_VALID = 5000
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_MEAN, CIFAR10_STD = (  # (3, 1, 1) each: of the training images' channels, for pixels in [0, 1]
    np.array(values, dtype=np.float32)[:, None, None] for values in ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
)


@dataset("cifar10")
def cifar10() -> Dataset:
    """CIFAR-10, colour photographs (N, 3, 32, 32) float32 in [0, 1]; labels (N,) int64. 45,000 / 5,000 / 10,000 examples.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images". The validation set is the last 5,000 of the
    50,000 training examples.
    """
    files = cifar_files(CIFAR10_FOLDER, CIFAR10_FILES, CIFAR10_URL, CIFAR10_SHA256)
    *train, test = (read_cifar(path, CIFAR10_FILES[path.name], "labels") for path in files)
    return ImageDataset("cifar10", *cifar_splits(train, test), CIFAR10_CLASSES)


def cifar_splits(
    train: Sequence[tuple[np.ndarray, np.ndarray]], test: tuple[np.ndarray, np.ndarray]
) -> tuple[Split, Split, Split]:
    """What read_cifar gives of the files as three splits, pixels as float32 in [0, 1]; the last 5,000 to train on validate instead."""
    x, y = (np.concatenate(arrays) for arrays in zip(*train))
    x, test_x = (images.astype(np.float32) / 255 for images in (x, test[0]))
    kept = len(y) - CIFAR_VALID
    return Split(x[:kept], y[:kept]), Split(x[kept:], y[kept:]), Split(test_x, test[1])


def cifar_files(folder: str, files: Sequence[str] | Mapping[str, str], url: str, sha256: str) -> list[Path]:
    """The paths of the files of a folder: under DLFS_DATA, else under the cache, else unpacked there from the archive at url."""
    for place in (place / folder for place in places()):
        if all((place / name).is_file() for name in files):
            return [place / name for name in files]
    archive = find(Path(url).name, url=url, sha256=sha256)
    check_hash(archive, sha256)
    with tarfile.open(archive) as packed:
        for name in files:
            member = packed.extractfile(f"{folder}/{name}")
            assert member is not None  # the archive has the sha256 of one that holds them
            write_atomically(cache_folder() / folder / name, member.read())
    return [cache_folder() / folder / name for name in files]


def read_cifar(path: Path, expected: str, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """The images (N, 3, 32, 32) uint8 and the labels (N,) int64 of that name in a file, a pickled dict written by Python 2."""
    batch = read_arrays(path, expected)
    return batch["data"].reshape(-1, 3, 32, 32), np.array(batch[labels], dtype=np.int64)


def read_arrays(path: Path, expected: str) -> dict[str, Any]:
    """The dict in a pickle of Python 2 that has this checksum (see check_hash)."""
    check_hash(path, expected)
    with path.open("rb") as file:
        return ArrayUnpickler(file, encoding="latin1").load()


class ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists, strings, numbers and NumPy arrays; a pickle that asks for anything else is refused."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"a data file asks for {module}.{name}, which is no array")
        return self.ALLOWED[module, name]


# --------------------------------------------------------------------------------------------------------- IMDB

IMDB_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
IMDB_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
IMDB_REVIEWS_SHA256 = (
    "d03356c1c6cd49cfa743c0f81bb059acbf277891afc193c56e4459c39402df6d"  # of all, in the order of imdb_reviews
)
IMDB_FOLDER = "aclImdb"
IMDB_TOKENS, IMDB_LENGTH = 10_000, 400  # words in the vocabulary; the tokens kept of a review, its last ones


@dataclass(frozen=True)
class TextDataset(Dataset):
    """Sequences of token ids; `tokens[id]` is a token in words."""

    tokens: tuple[str, ...] = ()


@dataset("imdb")
def imdb() -> TextDataset:
    """Film reviews, the last 400 tokens of each: ids (N, 400) int64, 0 after a review's end; labels (N,) int64, 1 is praise.

    Maas et al. 2011, "Learning word vectors for sentiment analysis". 22,500 / 2,500 / 25,000 examples. Lower-case words and
    punctuation marks are tokens; those that are not among the 10,000 most frequent of the training split are 1, <unk>.
    """
    path = cache_folder() / f"imdb-{IMDB_TOKENS}-{IMDB_LENGTH}.npz"
    if not path.is_file():
        write_atomically(path, encode_imdb(imdb_reviews()))
    try:
        with np.load(path) as arrays:
            x, test_x, tokens = arrays["x"].astype(np.int64), arrays["test_x"].astype(np.int64), arrays["tokens"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DLFSError(f"{path} is damaged ({error}). Delete it to have it made again") from None
    order = np.random.default_rng(0).permutation(25000)
    y = np.repeat(np.array([0, 1]), 12500)  # as imdb_reviews has them
    return TextDataset(
        "imdb",
        Split(x[:22500], y[order[:22500]]),
        Split(x[22500:], y[order[22500:]]),
        Split(test_x, y),
        tuple(tokens.tolist()),
    )


def encode_imdb(reviews: list[str]) -> bytes:
    """The reviews as token ids and the tokens, in NumPy's npz format."""
    from framework.data.text import WordTokenizer

    train, test = [reviews[i] for i in np.random.default_rng(0).permutation(25000)], reviews[25000:]
    tokenizer = WordTokenizer.train(train[:22500], max_tokens=IMDB_TOKENS)
    arrays = []
    for texts in (train, test):
        ids = np.zeros((len(texts), IMDB_LENGTH), dtype=np.uint16)
        for row, text in zip(ids, texts):
            tokens = tokenizer.encode(text)[-IMDB_LENGTH:]
            row[: len(tokens)] = tokens
        arrays.append(ids)
    file = io.BytesIO()
    np.savez_compressed(file, x=arrays[0], test_x=arrays[1], tokens=np.array(tokenizer.vocab.get_itos()))
    return file.getvalue()


def imdb_reviews() -> list[str]:
    """The 50,000 reviews: those to train on, 12,500 bad and 12,500 good, each in the order of their files' names; the test's alike."""
    parts = [f"{split}/{label}" for split in ("train", "test") for label in ("neg", "pos")]
    contents: list[bytes] = []
    for folder in (place / IMDB_FOLDER for place in places()):
        if all((folder / part).is_dir() for part in parts):
            contents = [path.read_bytes() for part in parts for path in sorted((folder / part).glob("*.txt"))]
            origin = str(folder)
            break
    else:
        archive = find(Path(IMDB_URL).name, url=IMDB_URL, sha256=IMDB_SHA256)
        origin = str(archive)
        with tarfile.open(archive) as packed:
            files = {member.name: packed.extractfile(member) for member in packed if member.name.endswith(".txt")}
            for part in parts:
                names = sorted(name for name in files if name.startswith(f"{IMDB_FOLDER}/{part}/"))
                contents += [file.read() for name in names if (file := files[name])]
    found = hashlib.sha256(b"".join(contents)).hexdigest()
    if found != IMDB_REVIEWS_SHA256:
        raise DLFSError(
            f"the {len(contents):,} reviews in {origin} are not the original 50,000: their sha256 is {found}, "
            f"expected {IMDB_REVIEWS_SHA256}. Delete them to have them fetched again"
        )
    return [content.decode("utf-8").replace("<br />", " ") for content in contents]


# -------------------------------------------------------------------------------------------------------- Texts

SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def pydoc() -> str:
    """The topics of Python's own help, some 465,000 characters of English and code; how many depends on Python's version."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def shakespeare() -> str:
    """tiny-shakespeare: 1,115,394 characters of Shakespeare's plays (Karpathy 2015)."""
    path = find("tiny-shakespeare", "input.txt", url=SHAKESPEARE_URL, sha256=SHAKESPEARE_SHA256)
    check_hash(path, SHAKESPEARE_SHA256)
    return path.read_text(encoding="utf-8")


TEXTS: dict[str, Callable[[], str]] = {"pydoc": pydoc, "shakespeare": shakespeare}  # the first is bundled with Python


# ------------------------------------------------------------------------------------- Finding and fetching files

WORKS_OFFLINE = "Works offline: --data digits"


def cache_folder() -> Path:
    """Where downloads are kept: the operating system's folder for caches."""
    import pooch

    return Path(pooch.os_cache("dlfs"))


def places() -> list[Path]:
    """Where a file is looked for, in this order: the folder that DLFS_DATA names, if it names one, and the cache."""
    given = [Path(os.environ["DLFS_DATA"]).expanduser()] if os.environ.get("DLFS_DATA") else []
    return [*given, cache_folder()]


def find(*parts: str, url: str, sha256: str) -> Path:
    """The path of a file: under DLFS_DATA, else under the cache, else downloaded there and checked against its sha256."""
    for place in places():
        if place.joinpath(*parts).is_file():
            return place.joinpath(*parts)
    return download(url, sha256, cache_folder().joinpath(*parts))


def download(url: str, sha256: str, path: Path) -> Path:
    """Fetch url to path, whole and with this sha256, or raise DLFSError and put nothing there.

    What came before a connection broke lies beside path, and the next call goes on from there.
    """
    import pooch
    from requests.exceptions import ChunkedEncodingError, ConnectionError, HTTPError, RequestException, Timeout

    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=resuming(path))
    except RequestException as error:
        reason = {
            Timeout: "it timed out",
            HTTPError: str(error),
            ChunkedEncodingError: "the connection broke",
            ConnectionError: "no network",
        }
        why = next((text for kind, text in reason.items() if isinstance(error, kind)), str(error))
        missing = f"no {path.relative_to(cache_folder()).as_posix()} in DLFS_DATA or the cache ({cache_folder()})"
        part = part_of(path)
        kept = (
            f" {part.stat().st_size / 2**20:.1f} MiB are kept: the same command goes on from there."
            if part.is_file()
            else ""
        )
        raise DLFSError(f"{missing}, and the download failed ({why}).{kept} {WORKS_OFFLINE}") from None
    except ValueError:  # pooch's answer to a wrong checksum; it has deleted the file
        raise DLFSError(
            f"what came from {url} is not the original: its sha256 is not {sha256}. It was thrown away; "
            f"the same command fetches it anew, in case it was damaged on the way. {WORKS_OFFLINE}"
        ) from None
    except OSError as error:
        raise DLFSError(f"{path} cannot be written ({error.strerror or error}). {WORKS_OFFLINE}") from None
    return path


def check_hash(path: Path, expected: str) -> None:
    """DLFSError unless the file has this sha256, or md5 if it reads "md5:…": the same names and shapes are also those of other sets."""
    kind, _, digest = expected.rpartition(":")
    kind = kind or "sha256"
    found = hashlib.new(kind, path.read_bytes()).hexdigest()
    if found != digest:
        raise DLFSError(
            f"{path} is not the original: its {kind} is {found}, expected {digest}. "
            f"Delete it to have it fetched again. {WORKS_OFFLINE}"
        )
