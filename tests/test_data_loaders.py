"""The data sets: what they hold, that they are the same on every machine, and what is said when a file is missing or damaged."""

import gzip
import hashlib
import io
import struct

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
    with pytest.raises(UsageError, match=r"no data set 'mnits'. Did you mean mnist\? Valid: digits, mnist"):
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
    with pytest.raises(DLFSError, match=r"train-images-idx3-ubyte\.gz is not what it was: its sha256 is not 440fcabf"):
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
