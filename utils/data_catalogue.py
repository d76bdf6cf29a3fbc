"""What is to be known of each data set before it is fetched: size, licence, origin, and where its files lie.

`dlfs data list`, `dlfs doctor` and the table in 00_Overview.md are made from these rows and from what `load` knows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils.data_loaders import CIFAR10_FILES, CIFAR10_FOLDER, DATASETS, IMDB_FOLDER, MNIST_FILES, places, register_all
from utils.data_sets.images import (
    CIFAR100_FILES,
    CIFAR100_FOLDER,
    FASHION_FILES,
    FASHION_FOLDER,
    IMAGENETTE_COUNTS,
    IMAGENETTE_FOLDER,
    IMAGENETTE_SIZE,
)

BUNDLED, GENERATED = "bundled", "generated"


@dataclass(frozen=True)
class Facts:
    """One data set. `files`: in DLFS_DATA or the cache, any one group of them is the whole set; () for one that needs none."""

    size: str  # what is downloaded, or "bundled", "generated"
    licence: str  # as its publisher states it
    origin: str
    page: str = ""  # where its publisher says so
    check: str = "sha256 of each file"
    files: tuple[tuple[str, ...], ...] = ()

    def found_in(self) -> Path | None:
        """The first folder that holds the whole set; None where it has to be downloaded first, or needs no file."""
        for place in places():
            for group in self.files:
                if all((place / name).exists() for name in group):
                    return place
        return None

    @property
    def is_here(self) -> bool:
        return not self.files or self.found_in() is not None


WITH_PACKAGE = "with its package"
BY_SEED = "made from a fixed seed"
ARRAYS_ONLY = "a reader that allows arrays only"

RESEARCH = "for non-commercial research and teaching"

CATALOGUE = {
    "digits": Facts(
        BUNDLED,
        "CC BY 4.0",
        "scikit-learn, from UCI",
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        WITH_PACKAGE,
    ),
    "diabetes": Facts(
        BUNDLED,
        "none stated",
        "scikit-learn, from Efron et al. 2004",
        "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
        WITH_PACKAGE,
    ),
    "breast-cancer": Facts(
        BUNDLED,
        "CC BY 4.0",
        "scikit-learn, from UCI",
        "https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic",
        WITH_PACKAGE,
    ),
    "pydoc": Facts(
        BUNDLED,
        "PSF-2.0",
        "Python's own `pydoc_data.topics`",
        "https://docs.python.org/3/license.html",
        WITH_PACKAGE,
    ),
    "sine": Facts(GENERATED, "none needed", "this project", check=BY_SEED),
    "dates": Facts(GENERATED, "none needed", "this project", check=BY_SEED),
    "mnist": Facts(
        "11 MiB",
        "none stated; often given as CC BY-SA 3.0",
        "LeCun, Cortes & Burges",
        "https://web.archive.org/web/2022/http://yann.lecun.com/exdb/mnist/",
        files=(tuple(f"MNIST/raw/{name}" for name in MNIST_FILES),),
    ),
    "fashion-mnist": Facts(
        "29 MiB",
        "MIT",
        "Xiao, Rasul & Vollgraf, Zalando",
        "https://github.com/zalandoresearch/fashion-mnist",
        files=(tuple(f"{FASHION_FOLDER}/raw/{name}" for name in FASHION_FILES),),
    ),
    "cifar10": Facts(
        "163 MiB",
        "none stated; cite Krizhevsky 2009",
        "Krizhevsky, University of Toronto",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        f"sha256 of each file; {ARRAYS_ONLY}",
        (tuple(f"{CIFAR10_FOLDER}/{name}" for name in CIFAR10_FILES), ("cifar-10-python.tar.gz",)),
    ),
    "cifar100": Facts(
        "161 MiB",
        "none stated; cite Krizhevsky 2009",
        "Krizhevsky, University of Toronto",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        f"sha256 of the archive, md5 of each file; {ARRAYS_ONLY}",
        (tuple(f"{CIFAR100_FOLDER}/{name}" for name in CIFAR100_FILES), ("cifar-100-python.tar.gz",)),
    ),
    "imagenette": Facts(
        "94 MiB",
        f"ImageNet's terms: {RESEARCH}",
        "Howard, fast.ai, from ImageNet",
        "https://github.com/fastai/imagenette",
        "sha256 of the archive, the number of images in a folder",
        (
            tuple(f"{IMAGENETTE_FOLDER}/{split}" for split in IMAGENETTE_COUNTS),
            ("imagenette2-160.tgz",),
            (f"imagenette-{IMAGENETTE_SIZE}.npz",),
        ),
    ),
    "imdb": Facts(
        "80 MiB",
        "none stated; cite Maas et al. 2011",
        "Maas et al., Stanford University",
        "https://ai.stanford.edu/~amaas/data/sentiment/",
        "sha256 of the archive, and of all reviews together",
        ((f"{IMDB_FOLDER}/train", f"{IMDB_FOLDER}/test"), ("aclImdb_v1.tar.gz",), ("imdb-10000-400.npz",)),
    ),
    "shakespeare": Facts(
        "1.1 MiB",
        "MIT, for the repository; the plays are in the public domain",
        "Karpathy's char-rnn",
        "https://github.com/karpathy/char-rnn",
        files=(("tiny-shakespeare/input.txt",),),
    ),
    "multi30k": Facts(
        "1.2 MiB",
        f"none stated; made from Flickr30k, which is {RESEARCH}",
        "Elliott et al. 2016",
        "https://github.com/multi30k/dataset",
        files=(
            tuple(
                f"multi30k/{split}.{tongue}.gz"
                for split in ("train", "val", "test_2016_flickr")
                for tongue in ("de", "en")
            ),
        ),
    ),
    "flickr8k": Facts(
        "1.1 GB",
        f"{RESEARCH}; asked for from its authors",
        "Hodosh, Young & Hockenmaier 2013",
        "http://nlp.cs.illinois.edu/HockenmaierGroup/8k-pictures.html",
        "by its form; nobody may offer it for download",
        (("flickr8k/captions.txt", "flickr8k/Images"),),
    ),
}
UNKNOWN = Facts("not said", "not said", "see its function in utils/data_sets", check="see there")


def facts(name: str) -> Facts:
    """What is known of a data set; imdb-pieces, say, is made from imdb and shares its facts."""
    known = (CATALOGUE.get("-".join(name.split("-")[:length])) for length in range(name.count("-") + 1, 0, -1))
    return next((row for row in known if row), UNKNOWN)


def names() -> list[str]:
    """Every data set that `load` knows: first those that need no download."""
    register_all()
    return sorted(DATASETS, key=lambda name: (bool(facts(name).files), name))


def what(name: str) -> str:
    """The first sentence of what the data set's function says of itself, without where it is explained to programmers."""
    function: Callable = DATASETS[name]
    text = " ".join((function.__doc__ or "").split())
    return re.sub(r": see `\w+`$", "", text.partition(". ")[0].rstrip("."))
