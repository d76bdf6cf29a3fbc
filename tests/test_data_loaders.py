"""The data sets: what they hold, that they are the same on every machine, and what is said when a file is missing or damaged."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np
import pytest
import requests

from utils import data_loaders
from utils.data_loaders import load, read_idx
from utils.errors import DLFSError, UsageError


def idx(array, magic=None):
    """A gzipped IDX file's bytes, written here from the format's description."""
    header = magic or bytes([0, 0, 8, array.ndim])
    return gzip.compress(header + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes())


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """Neither DLFS_DATA nor a filled cache nor a network."""

    def offline(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no route to host")

    monkeypatch.delenv("DLFS_DATA", raising=False)
    monkeypatch.setattr(data_loaders, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(requests.sessions.Session, "send", offline)
    return tmp_path


# ------------------------------------------------------------------------------------------------------- Digits


def test_digits_are_scikit_learns_in_three_splits_without_overlap():
    from sklearn.datasets import load_digits

    bunch, data = load_digits(), load("digits")
    splits = [data.train, data.valid, data.test]
    assert [len(split) for split in splits] == [1297, 250, 250]
    for split in splits:
        assert split.x.shape[1:] == (1, 8, 8) and split.x.dtype == np.float32 and split.y.dtype == np.int64
        assert split.x.min() == 0 and split.x.max() == 1
        assert set(split.y) == set(range(10))

    def key(image, label):
        return np.asarray(image, np.float32).tobytes(), int(label)

    ours = sorted(key(16 * x[0], y) for split in splits for x, y in zip(split.x, split.y))
    assert ours == sorted(key(image, label) for image, label in zip(bunch.images, bunch.target))


def test_digits_have_one_order():
    assert load("digits").test.y[:12].tolist() == [0, 8, 5, 1, 4, 2, 6, 9, 7, 8, 2, 1]


def test_an_unknown_set_names_the_nearest_and_all():
    with pytest.raises(UsageError, match=r"no data set 'mnits'. Did you mean mnist\? Valid: digits, .*mnist"):
        load("mnits")


# -------------------------------------------------------------------------------------------------------- MNIST


@pytest.mark.data
def test_mnist_is_the_original():
    data = load("mnist")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [55000, 5000, 10000]
    assert (
        data.train.x.shape == (55000, 1, 28, 28) and data.train.x.dtype == np.float32 and data.train.y.dtype == np.int64
    )
    pixels = np.concatenate([data.train.x, data.valid.x])
    assert pixels.mean() == pytest.approx(0.1307, abs=5e-5) and pixels.std() == pytest.approx(0.3081, abs=5e-5)
    labels = np.concatenate([data.train.y, data.valid.y])
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_mnist_missing_and_no_network_says_what_works_offline(no_data):
    message = (
        rf"^no MNIST/raw/train-images-idx3-ubyte\.gz in DLFS_DATA or the cache \({no_data}/cache\), "
        r"and the download failed \(no network\)\. Works offline: --data digits$"
    )
    with pytest.raises(DLFSError, match=message):
        load("mnist")
    assert not [path for path in no_data.rglob("*") if path.is_file()]


def serve(monkeypatch, content):
    """Let every request get this content; return the list of the addresses asked for."""
    asked = []

    def send(session, request, **kwargs):
        asked.append(request.url)
        response = requests.Response()
        response.status_code, response.raw, response.request = 200, io.BytesIO(content), request
        return response

    monkeypatch.setattr(requests.sessions.Session, "send", send)
    return asked


def test_a_download_with_a_wrong_checksum_is_refused_and_not_kept(no_data, monkeypatch):
    serve(monkeypatch, b"something else")
    with pytest.raises(DLFSError, match=r"train-images-idx3-ubyte\.gz is not the original: its sha256 is not 440fcabf"):
        load("mnist")
    assert not [path for path in no_data.rglob("*") if path.is_file()]


def test_a_download_with_the_right_checksum_is_kept_and_not_fetched_again(no_data, monkeypatch):
    asked = serve(monkeypatch, b"content")
    for _ in range(2):
        sha256 = hashlib.sha256(b"content").hexdigest()
        path = data_loaders.find("set", "file.gz", url="https://example.org/file.gz", sha256=sha256)
        assert path == no_data / "cache" / "set" / "file.gz" and path.read_bytes() == b"content"
    assert asked == ["https://example.org/file.gz"]


def test_dlfs_data_comes_before_the_cache(no_data, monkeypatch):
    for place in ("given", "cache"):
        path = no_data / place / "set" / "file"
        path.parent.mkdir(parents=True)
        path.write_text(place)
    assert data_loaders.find("set", "file", url="", sha256="").read_text() == "cache"
    monkeypatch.setenv("DLFS_DATA", str(no_data / "given"))
    assert data_loaders.find("set", "file", url="", sha256="").read_text() == "given"


def test_the_right_shape_with_other_contents_is_not_mnist(no_data, monkeypatch):
    """Fashion-MNIST has the same files and shapes."""
    monkeypatch.setenv("DLFS_DATA", str(no_data))
    path = no_data / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(idx(np.zeros((60000, 28, 28), np.uint8)))
    with pytest.raises(DLFSError, match=rf"{path} is not the original: its sha256 is \w+, expected 440fcabf"):
        load("mnist")


# ---------------------------------------------------------------------------------------------------------- IDX

BYTES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_read_idx(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(idx(BYTES))
    np.testing.assert_array_equal(read_idx(path, (2, 3, 4)), BYTES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"it does not unpack|its header is empty"),
        (b"not gzip at all", r"it does not unpack \(Not a gzipped file"),
        (idx(BYTES)[:-12], r"it does not unpack \(Compressed file ended"),
        (gzip.compress(b"\0\0"), r"its header is 00 00"),
        (idx(BYTES, magic=b"\0\0\x0d\x03"), r"its header is 00 00 0d 03"),
        (idx(BYTES.reshape(2, 12)), r"its header is 00 00 08 02"),
        (idx(BYTES[:1]), r"it holds shape \(1, 3, 4\)"),
        (gzip.compress(gzip.decompress(idx(BYTES))[:-5]), r"it holds 19 of 24 bytes"),
        (gzip.compress(gzip.decompress(idx(BYTES)) + b"!"), r"it holds 25 of 24 bytes"),
    ],
    ids=["empty", "text", "cut", "short", "floats", "two-dimensional", "smaller", "bytes-missing", "bytes-left"],
)
def test_a_damaged_file_says_what_was_found_and_expected(tmp_path, content, message):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(DLFSError, match=message) as error:
        read_idx(path, (2, 3, 4))
    assert str(error.value).startswith(f"{path} is damaged: ")
    assert "expected a gzipped IDX file of unsigned bytes, shape (2, 3, 4)" in str(error.value)
    assert str(error.value).endswith("Works offline: --data digits")


def test_a_flipped_bit_is_noticed(tmp_path):
    content = bytearray(idx(np.random.default_rng(0).integers(0, 256, (2, 3, 4)).astype(np.uint8)))
    content[30] ^= 1
    path = tmp_path / "x.gz"
    path.write_bytes(bytes(content))
    with pytest.raises(DLFSError, match="damaged"):
        read_idx(path, (2, 3, 4))


# ----------------------------------------------------------------------------------------------------- CIFAR-10


@pytest.mark.data
def test_cifar10_is_the_original():
    data = load("cifar10")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [45000, 5000, 10000]
    assert data.train.x.shape == (45000, 3, 32, 32) and data.train.x.dtype == np.float32
    pixels = np.concatenate([data.train.x, data.valid.x])
    np.testing.assert_allclose(pixels.mean(axis=(0, 2, 3)), [0.4914, 0.4822, 0.4465], atol=5e-5)  # as is well known
    np.testing.assert_allclose(pixels.std(axis=(0, 2, 3)), [0.2470, 0.2435, 0.2616], atol=5e-5)
    labels = np.concatenate([data.train.y, data.valid.y])
    assert labels.dtype == np.int64 and np.bincount(labels).tolist() == [5000] * 10
    assert [data_loaders.CIFAR10_CLASSES[y] for y in data.test.y[:5]] == ["cat", "ship", "ship", "airplane", "frog"]


def cifar10_batch(images, labels):
    """A batch as Python 2 pickled it, written here opcode by opcode."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    def reduce(module, name, arguments):
        return b"c%s\n%s\n" % (module, name) + arguments + b"R"

    raw = images.tobytes()
    empty = reduce(b"numpy.core.multiarray", b"_reconstruct", b"cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87")
    dtype = reduce(b"numpy", b"dtype", text(b"u1") + b"K\x00K\x01\x87")
    shape = b"".join(b"M" + struct.pack("<H", n) for n in images.shape) + b"\x86"
    array = empty + b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def test_a_batch_of_cifar10_is_read_channel_by_channel(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(4, 3072), dtype=np.uint8)
    path = tmp_path / "data_batch_1"
    path.write_bytes(cifar10_batch(images, [3, 9, 0, 1]))
    x, y = data_loaders.read_cifar(path, hashlib.sha256(path.read_bytes()).hexdigest(), "labels")
    np.testing.assert_array_equal(x.reshape(4, -1), images)
    assert x.shape == (4, 3, 32, 32) and y.tolist() == [3, 9, 0, 1] and y.dtype == np.int64


def test_a_batch_of_cifar10_that_is_not_the_original_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in data_loaders.CIFAR10_FILES:
        (folder / name).write_bytes(cifar10_batch(np.zeros((1, 3072), np.uint8), [0]))
    monkeypatch.setenv("DLFS_DATA", str(tmp_path))
    with pytest.raises(DLFSError, match=r"data_batch_1 is not the original: its sha256 is"):
        load("cifar10")


@pytest.mark.parametrize(
    "target", [b"posix\nsystem", b"builtins\neval", b"numpy\nload", b"utils.files\nwrite_atomically"]
)
def test_a_data_file_that_asks_for_more_than_arrays_is_refused(tmp_path, target):
    content = b"\x80\x02c" + target + b"\nU\x04true\x85R."
    with pytest.raises(pickle.UnpicklingError, match="which is no array"):
        data_loaders.ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()


def test_cifar10_without_data_or_network(no_data):
    with pytest.raises(DLFSError, match=r"no cifar-10-python.tar.gz in DLFS_DATA or the cache .*no network"):
        load("cifar10")


def test_cifar10_is_unpacked_from_its_archive(no_data, monkeypatch):
    contents = {name: cifar10_batch(np.full((10, 3072), 7, np.uint8), [1] * 10) for name in data_loaders.CIFAR10_FILES}
    cache = no_data / "cache"
    cache.mkdir()
    with tarfile.open(cache / "cifar-10-python.tar.gz", "w:gz") as packed:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    archive = hashlib.sha256((cache / "cifar-10-python.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(data_loaders, "CIFAR10_SHA256", archive)
    monkeypatch.setattr(data_loaders, "CIFAR_VALID", 5)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(data_loaders, "CIFAR10_FILES", hashes)
    for _ in range(2):  # once unpacked, the archive is not needed
        assert len(load("cifar10").train) == 45
        (cache / "cifar-10-python.tar.gz").unlink(missing_ok=True)


def test_sine_is_waves_and_the_same_waves_one_step_on():
    data = load("sine")
    assert [split.x.shape for split in (data.train, data.valid, data.test)] == [
        (1000, 50, 1),
        (200, 50, 1),
        (200, 50, 1),
    ]
    assert data.train.x.dtype == data.train.y.dtype == np.float32
    np.testing.assert_array_equal(data.train.x[:, 1:], data.train.y[:, :-1])
    assert 0.9 < np.abs(data.train.x).max() < 1.1
    np.testing.assert_array_equal(data.train.x, load("sine").train.x)


def test_imdb_without_data_or_network(no_data):
    with pytest.raises(DLFSError, match=r"no aclImdb_v1.tar.gz in DLFS_DATA or the cache .*no network"):
        load("imdb")


def test_reviews_that_are_not_the_original_are_refused(no_data, monkeypatch):
    for part in ("train/neg", "train/pos", "test/neg", "test/pos"):
        folder = no_data / "aclImdb" / part
        folder.mkdir(parents=True)
        (folder / "0_1.txt").write_text("dull", encoding="utf-8")
    monkeypatch.setenv("DLFS_DATA", str(no_data))
    with pytest.raises(DLFSError, match=r"the 4 reviews in .*aclImdb are not the original 50,000: their sha256 is"):
        load("imdb")


def test_reviews_become_their_last_tokens(monkeypatch):
    monkeypatch.setattr(data_loaders, "IMDB_LENGTH", 3)
    reviews = ["good good film"] * 12500 + ["a bad film , really"] * 12500 + ["Good ! Unseen"] * 25000
    with np.load(io.BytesIO(data_loaders.encode_imdb(reviews))) as arrays:
        tokens, x, test_x = arrays["tokens"].tolist(), arrays["x"], arrays["test_x"]
    assert x.shape == test_x.shape == (25000, 3)
    read = {" ".join(tokens[i] for i in row) for row in x}
    assert read == {"good good film", "film , really"}
    assert {" ".join(tokens[i] for i in row) for row in test_x} == {"good <unk> <unk>"}


def test_texts():
    assert len(data_loaders.TEXTS["pydoc"]()) > 300_000


@pytest.mark.data
def test_shakespeare_is_the_original():
    text = data_loaders.TEXTS["shakespeare"]()
    assert len(text) == 1_115_394 and len(set(text)) == 65 and text.startswith("First Citizen:")
