"""What is to be known of each data set before it is fetched: size, licence, origin, and where its files lie.

`dlfs data list`, `dlfs doctor` and the table in 00_Overview.md are made from these rows and from what `load` knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils.data_loaders import CIFAR10_FILES, CIFAR10_FOLDER, DATASETS, IMDB_FOLDER, MNIST_FILES, places, register_all

BUNDLED, GENERATED = "bundled", "generated"


@dataclass(frozen=True)
class Facts:
    """One data set. `files`: in DLFS_DATA or the cache, any one group of them is the whole set; () for one that needs none."""

    size: str  # what is downloaded, or "bundled", "generated"
    licence: str  # as its publisher states it
    origin: str
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


SKLEARN = "scikit-learn, from UCI"
WITH_PACKAGE = "with its package"
BY_SEED = "made from a fixed seed"

CATALOGUE = {
    "digits": Facts(BUNDLED, "CC BY 4.0", SKLEARN, WITH_PACKAGE),
    "diabetes": Facts(BUNDLED, "none stated", "scikit-learn, from Efron et al. 2004", WITH_PACKAGE),
    "breast-cancer": Facts(BUNDLED, "CC BY 4.0", SKLEARN, WITH_PACKAGE),
    "pydoc": Facts(BUNDLED, "PSF", "Python's own `pydoc_data.topics`", WITH_PACKAGE),
    "sine": Facts(GENERATED, "none needed", "this project", BY_SEED),
    "dates": Facts(GENERATED, "none needed", "this project", BY_SEED),
    "mnist": Facts(
        "11 MiB",
        "none stated; often given as CC BY-SA 3.0",
        "LeCun, Cortes & Burges",
        files=(tuple(f"MNIST/raw/{name}" for name in MNIST_FILES),),
    ),
    "cifar10": Facts(
        "163 MiB",
        "none stated",
        "Krizhevsky, University of Toronto",
        "sha256 of each file; a reader that allows arrays only",
        (tuple(f"{CIFAR10_FOLDER}/{name}" for name in CIFAR10_FILES), ("cifar-10-python.tar.gz",)),
    ),
    "imdb": Facts(
        "80 MiB",
        "none stated; cite Maas et al. 2011",
        "Maas et al., Stanford University",
        "sha256 of the archive, and of all reviews together",
        ((f"{IMDB_FOLDER}/train", f"{IMDB_FOLDER}/test"), ("aclImdb_v1.tar.gz",), ("imdb-10000-400.npz",)),
    ),
    "shakespeare": Facts("1.1 MiB", "public domain", "Karpathy's char-rnn", files=(("tiny-shakespeare/input.txt",),)),
    "multi30k": Facts(
        "1.2 MiB",
        "none stated; the captions of Flickr30k are for research",
        "Elliott et al. 2016",
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
        "for research; asked for from its authors",
        "Hodosh, Young & Hockenmaier 2013",
        "by its form; nobody may offer it for download",
        (("flickr8k/captions.txt", "flickr8k/Images"),),
    ),
}
UNKNOWN = Facts("not said", "not said", "see its function in utils/data_sets", "see there")


def facts(name: str) -> Facts:
    """What is known of a data set; imdb-pieces, say, is made from imdb and shares its facts."""
    known = (CATALOGUE.get("-".join(name.split("-")[:length])) for length in range(name.count("-") + 1, 0, -1))
    return next((row for row in known if row), UNKNOWN)


def names() -> list[str]:
    """Every data set that `load` knows: first those that need no download."""
    register_all()
    return sorted(DATASETS, key=lambda name: (bool(facts(name).files), name))


def what(name: str) -> str:
    """The first sentence of what the data set's function says of itself."""
    function: Callable = DATASETS[name]
    text = " ".join((function.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".")
