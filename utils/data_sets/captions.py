"""Images with captions: Flickr8k; and CLIP's tokeniser, for texts of one's own."""

import csv
import functools
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framework.data.text import CLIPTokenizer
from utils.data_loaders import Dataset, Split, cache_folder, check_hash, dataset, find, places
from utils.data_sets.images import square
from utils.errors import DLFSError
from utils.files import write_atomically

FLICKR8K_FOLDER = "flickr8k"
FLICKR8K_SIZE = 64  # pixels each way: the short side is made so long, and the middle is cut out
FLICKR8K_TOKENS, FLICKR8K_LENGTH = 2_000, 32  # in the vocabulary; in a caption with its start and its end
CAPTIONS = 5  # of each photograph


@dataclass(frozen=True)
class CaptionDataset(Dataset):
    """x (N, 3, H, W) float32 in [0, 1] are images, y (N, K, T) int64 the tokens of K captions of each, as `text_rows` has them."""

    tokenizer: CLIPTokenizer


def text_rows(tokenizer: CLIPTokenizer, texts: Sequence[str], length: int) -> np.ndarray:
    """Texts as CLIP reads them, (N, length) int64: the start's token, the text's, the end's, and 0 behind it. What is too long is cut off."""
    start, end = tokenizer.special_tokens.values()
    rows = np.zeros((len(texts), length), dtype=np.int64)
    for row, text in zip(rows, texts):
        tokens = [start, *tokenizer.encode(text)[: length - 2], end]
        row[: len(tokens)] = tokens
    return rows


# ------------------------------------------------------------------------------------------------------ Flickr8k


@dataset("flickr8k")
def flickr8k() -> CaptionDataset:
    """Photographs with five captions each, all that are there of the 8,091: images (N, 3, 64, 64), captions (N, 5, 32).

    Hodosh, Young & Hockenmaier 2013. Shuffled once; a tenth validates, a tenth is for the test. The tokens are CLIP's byte pairs,
    learnt from the captions of the training split. To be had from its authors alone, for research: in DLFS_DATA or the cache there
    must be a folder flickr8k with captions.txt (a line is image,caption) and the folder Images.
    """
    source = flickr8k_folder()
    captions = read_captions(source / "captions.txt")
    present = {path.name for path in (source / "Images").iterdir()}
    names = sorted(name for name in captions if name in present)
    if len(names) < 10:
        raise DLFSError(f"{source}: of the images in captions.txt only {len(names)} are in the folder Images")
    path = cache_folder() / f"flickr8k-{len(names)}-{FLICKR8K_SIZE}.npz"
    if not path.is_file():
        write_atomically(path, encode_images([source / "Images" / name for name in names]))
    try:
        with np.load(path) as arrays:
            images = arrays["images"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DLFSError(f"{path} is damaged ({error}). Delete it to have it made again") from None
    order = np.random.default_rng(0).permutation(len(names))
    parts = np.split(order, [len(order) - 2 * (len(order) // 10), len(order) - len(order) // 10])
    tokenizer = CLIPTokenizer.train((text for i in parts[0] for text in captions[names[i]]), FLICKR8K_TOKENS)
    train, valid, test = (
        Split(
            images[part].astype(np.float32) / 255,
            np.stack([text_rows(tokenizer, captions[names[i]], FLICKR8K_LENGTH) for i in part]),
        )
        for part in parts
    )
    return CaptionDataset("flickr8k", train, valid, test, tokenizer)


def flickr8k_folder() -> Path:
    for folder in (place / FLICKR8K_FOLDER for place in places()):
        if (folder / "captions.txt").is_file() and (folder / "Images").is_dir():
            return folder
    raise DLFSError(
        f"no flickr8k/captions.txt and flickr8k/Images in DLFS_DATA or the cache ({cache_folder()}), and nowhere to "
        "download them from: they are given out by their authors. Works offline: --data digits"
    )


def read_captions(path: Path) -> dict[str, list[str]]:
    """The captions of each image that has five, by the image's name."""
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) == 2 and row[0] != "image":
                found.setdefault(row[0], []).append(row[1])
    return {name: texts for name, texts in found.items() if len(texts) == CAPTIONS}


def encode_images(paths: Sequence[Path], size: int = FLICKR8K_SIZE) -> bytes:
    """Photographs, each made small and cut to a square, as images (N, 3, size, size) uint8 in NumPy's npz format."""
    images = np.stack([square(path, size) for path in paths])
    file = io.BytesIO()
    np.savez_compressed(file, images=images)
    return file.getvalue()


# ------------------------------------------------------------------------------------------- CLIP's own tokeniser

CLIP_URL = "https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz"
CLIP_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"


@functools.cache
def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's tokeniser, of OpenAI's file: tokenizers/clip/bpe_simple_vocab_16e6.txt.gz in DLFS_DATA or the cache."""
    path = find("tokenizers", "clip", "bpe_simple_vocab_16e6.txt.gz", url=CLIP_URL, sha256=CLIP_SHA256)
    check_hash(path, CLIP_SHA256)
    return CLIPTokenizer.load(path)
