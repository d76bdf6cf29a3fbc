"""Fashion-MNIST, CIFAR-100 and Imagenette: read in the forms in which they are published, and refused where they are something else."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from utils import data_catalogue as catalogue
from utils import data_loaders
from utils.data_loaders import class_names, load
from utils.data_sets import images
from utils.errors import DLFSError


@pytest.fixture
def data(tmp_path, monkeypatch):
    """DLFS_DATA, and a cache of its own beside it; no network."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("DLFS_DATA", str(tmp_path / "data"))
    for module in ("utils.data_loaders", "utils.data_sets.images"):
        monkeypatch.setattr(f"{module}.cache_folder", lambda: tmp_path / "cache")

    def refuse(url, sha256, path):
        raise DLFSError(f"no {path.name} in DLFS_DATA or the cache")

    monkeypatch.setattr(data_loaders, "download", refuse)
    return tmp_path / "data"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------------------------------------ Fashion-MNIST


def test_fashion_mnist_is_not_mnist():
    """The same names and shapes, other checksums."""
    assert list(images.FASHION_FILES) == list(data_loaders.MNIST_FILES)
    for (fashion, shape), (digits, same_shape) in zip(images.FASHION_FILES.values(), data_loaders.MNIST_FILES.values()):
        assert shape == same_shape and fashion != digits


@pytest.mark.data
def test_fashion_mnist_is_the_original():
    if not catalogue.facts("fashion-mnist").is_here:
        pytest.skip("no FashionMNIST/raw in DLFS_DATA")
    data = load("fashion-mnist")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [55000, 5000, 10000]
    pixels = np.concatenate([data.train.x, data.valid.x])
    assert pixels.shape == (60000, 1, 28, 28) and pixels.dtype == np.float32
    assert pixels.mean() == pytest.approx(0.2860, abs=5e-5) and pixels.std() == pytest.approx(0.3530, abs=5e-5)
    labels = np.concatenate([data.train.y, data.valid.y])
    assert labels.dtype == np.int64 and np.bincount(labels).tolist() == [6000] * 10
    assert [class_names(data)[y] for y in data.test.y[:4]] == ["ankle boot", "pullover", "trouser", "trouser"]


# ---------------------------------------------------------------------------------------------------- CIFAR-100


@pytest.fixture
def cifar100(monkeypatch):
    """A small CIFAR-100 as its files' bytes, and the loader's checksums set to theirs."""
    monkeypatch.setattr(data_loaders, "CIFAR_VALID", 5)
    rng = np.random.default_rng(0)
    names = [f"class{i}" for i in range(100)]
    contents = {"meta": {"fine_label_names": names, "coarse_label_names": ["all"]}}
    for name, n in (("train", 60), ("test", 20)):
        pixels = np.repeat(rng.integers(0, 256, (n, 1), dtype=np.uint8), 3072, axis=1)
        fine = rng.integers(0, 100, n).tolist()
        contents[name] = {"data": pixels, "fine_labels": fine, "coarse_labels": [0] * n, "batch_label": name}
    files = {name: pickle.dumps(content, protocol=2) for name, content in contents.items()}
    hashes = {name: "md5:" + hashlib.md5(files[name]).hexdigest() for name in ("train", "test", "meta")}
    monkeypatch.setattr(images, "CIFAR100_FILES", hashes)
    # Python 3 and NumPy 2 pickle an array by other names than Python 2 and NumPy 1 did
    allowed = data_loaders.ArrayUnpickler.ALLOWED | {
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
    }
    monkeypatch.setattr(data_loaders.ArrayUnpickler, "ALLOWED", allowed)
    return files, contents


def check_cifar100(contents):
    data = load("cifar100")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [55, 5, 20]
    assert data.train.x.shape[1:] == (3, 32, 32) and data.train.x.dtype == np.float32 and data.train.y.dtype == np.int64
    for first, split in ((0, data.train), (55, data.valid)):
        np.testing.assert_array_equal(split.y, contents["train"]["fine_labels"][first : first + len(split)])
    np.testing.assert_array_equal(data.test.y, contents["test"]["fine_labels"])
    np.testing.assert_allclose(data.test.x[:, 2, 31, 31] * 255, contents["test"]["data"][:, 0], rtol=1e-6)
    assert class_names(data)[7] == "class7" and len(class_names(data)) == 100


def test_cifar100_from_its_folder(data, cifar100):
    files, contents = cifar100
    (data / "cifar-100-python").mkdir()
    for name, content in files.items():
        (data / "cifar-100-python" / name).write_bytes(content)
    check_cifar100(contents)
    (data / "cifar-100-python" / "meta").write_bytes(files["meta"][:-1])
    with pytest.raises(DLFSError, match=r"meta is not the original: its md5 is \w+, expected \w+\. Delete it"):
        load("cifar100")


def test_cifar100_from_its_archive(data, cifar100, monkeypatch):
    files, contents = cifar100
    archive = data / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    with pytest.raises(DLFSError, match=r"cifar-100-python\.tar\.gz is not the original: its sha256 is"):
        load("cifar100")
    monkeypatch.setattr(images, "CIFAR100_SHA256", sha256(archive.read_bytes()))
    check_cifar100(contents)


def test_cifar100_without_data_or_network(data):
    with pytest.raises(DLFSError, match=r"no cifar-100-python\.tar\.gz"):
        load("cifar100")


# --------------------------------------------------------------------------------------------------- Imagenette


def jpeg(color, mode="RGB", size=(40, 30)):
    file = io.BytesIO()
    Image.new("RGB", size, color).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def small(monkeypatch):
    """A small Imagenette: {path: bytes}; an image's colour says its class, and some are grey or CMYK, as some of ImageNet's are."""
    monkeypatch.setattr(images, "IMAGENETTE_VALID", 5)
    monkeypatch.setattr(images, "IMAGENETTE_COUNTS", {"train": 30, "val": 20})
    found = {}
    for split, n in (("train", 3), ("val", 2)):
        for label, kind in enumerate(images.IMAGENETTE_CLASSES):
            for i in range(n):
                mode = ("RGB", "CMYK", "L")[i]
                found[f"{split}/{kind}/{kind}_{i}.JPEG"] = jpeg((20 * label,) * 3, mode)
    found["train/n99999999/other.JPEG"] = jpeg((255, 0, 0))
    return found


def unpack(files, root):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def check_imagenette():
    data = load("imagenette")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [25, 5, 20]
    for split in (data.train, data.valid, data.test):
        assert split.x.shape[1:] == (3, 64, 64) and split.x.dtype == np.float32 and split.y.dtype == np.int64
        np.testing.assert_allclose(split.x.mean(axis=(1, 2, 3)) * 255, 20 * split.y, atol=2)
    learnt = np.bincount(data.train.y, minlength=10) + np.bincount(data.valid.y, minlength=10)
    assert learnt.tolist() == [3] * 10 and len(set(data.train.y[:5])) > 1  # shuffled: the files come class by class
    assert class_names(data)[9] == "parachute"
    return data


def test_imagenette_from_its_folder_and_then_from_the_cache(data, small):
    unpack(small, data / "imagenette2-160")
    first = check_imagenette()
    assert catalogue.facts("imagenette").is_here
    (data / "imagenette2-160").rename(data / "elsewhere")
    np.testing.assert_array_equal(check_imagenette().train.x, first.train.x)


def test_imagenette_from_its_archive_which_is_not_unpacked(data, small, monkeypatch):
    archive = data / "imagenette2-160.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in {**small, "../../escaped/train/n01440764/x.txt": b"outside"}.items():
            member = tarfile.TarInfo(f"imagenette2-160/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(images, "IMAGENETTE_SHA256", sha256(archive.read_bytes()))
    check_imagenette()
    found = {path.name for path in data.parent.rglob("*") if path.is_file()}
    assert found == {"imagenette2-160.tgz", "imagenette-64.npz"}


def test_a_part_of_imagenette_is_refused_and_not_kept(data, small):
    del small["val/n01440764/n01440764_0.JPEG"]
    unpack(small, data / "imagenette2-160")
    with pytest.raises(DLFSError, match=r"holds {'train': 30, 'val': 19} images of the ten classes, expected"):
        load("imagenette")
    assert not (data.parent / "cache").exists()


def test_a_damaged_image_is_named(data, small):
    small["train/n03394916/n03394916_1.JPEG"] = small["train/n03394916/n03394916_1.JPEG"][:200]
    unpack(small, data / "imagenette2-160")
    with pytest.raises(DLFSError, match=r"^train/n03394916/n03394916_1\.JPEG is damaged \(.+\)\. Delete"):
        load("imagenette")


def test_a_square_is_the_middle(tmp_path):
    """Of an image that is 40 wide and 20 high, whose left and right fifths are red."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :8, 0] = pixels[:, -8:, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    middle = images.square(tmp_path / "x.png", 10)
    assert middle.shape == (3, 10, 10) and middle.dtype == np.uint8 and middle.max() < 20
