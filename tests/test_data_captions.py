"""Images with captions: Flickr8k as it is laid out, texts as CLIP reads them, and what is said where something is missing."""

import numpy as np
import pytest
from PIL import Image

from framework.data.text import CLIPTokenizer
from utils.data_loaders import load
from utils.data_sets.captions import text_rows
from utils.data_sets.images import square
from utils.errors import DLFSError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small flickr8k of twenty images in DLFS_DATA, and a cache of its own."""
    monkeypatch.setenv("DLFS_DATA", str(tmp_path))
    monkeypatch.setattr("utils.data_loaders.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("utils.data_sets.captions.cache_folder", lambda: tmp_path / "cache")
    images = tmp_path / "flickr8k" / "Images"
    images.mkdir(parents=True)
    lines = ["image,caption"]
    for i in range(20):
        Image.new("RGB", (100 + i, 80), (10 * i, 0, 255 - 10 * i)).save(images / f"{i:02}.jpg")
        lines += [f'{i:02}.jpg,"A dog , number {i} , seen {k} times ."' for k in range(5)]
    lines += ["absent.jpg,not there"] * 5 + ["00_odd.jpg,only one caption"]
    (tmp_path / "flickr8k" / "captions.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_flickr8k_as_it_is_laid_out(folder):
    data = load("flickr8k")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [16, 2, 2]
    assert data.train.x.shape == (16, 3, 64, 64) and data.train.x.dtype == np.float32
    assert data.train.y.shape == (16, 5, 32) and data.train.y.dtype == np.int64
    for split in (data.train, data.valid, data.test):
        for image, captions in zip(split.x, split.y):
            number = round(float(image[0].mean()) * 25.5)  # its colour says which image it is
            texts = [data.tokenizer.decode(row[: row.argmax() + 1]) for row in captions]
            digits = " ".join(str(number))
            assert texts == [f"a dog , number {digits} , seen {k} times ." for k in range(5)]
    again = load("flickr8k")
    np.testing.assert_array_equal(again.train.x, data.train.x)


def test_missing_and_damaged_files_say_so(folder):
    load("flickr8k")
    (cached,) = (folder / "cache").glob("flickr8k-20-64.npz")
    cached.write_bytes(b"PK nothing")
    with pytest.raises(DLFSError, match="is damaged .* Delete it to have it made again"):
        load("flickr8k")
    for path in (folder / "flickr8k" / "Images").glob("1*.jpg"):
        path.unlink()
    for path in (folder / "flickr8k" / "Images").glob("00.jpg"):
        path.unlink()
    with pytest.raises(DLFSError, match="only 9 are in the folder Images"):
        load("flickr8k")
    (folder / "flickr8k" / "captions.txt").unlink()
    with pytest.raises(DLFSError, match="no flickr8k/captions.txt and flickr8k/Images"):
        load("flickr8k")


def test_texts_as_clip_reads_them():
    tokenizer = CLIPTokenizer.train(["a photo of a cat"], 10_000, min_frequency=1)
    start, end = len(tokenizer) - 2, len(tokenizer) - 1
    a, photo, of, cat = (tokenizer.encode(word)[0] for word in ("a", "photo", "of", "cat"))
    rows = text_rows(tokenizer, ["A cat", "a photo of a cat", ""], 6)
    expected = [[start, a, cat, end, 0, 0], [start, a, photo, of, a, end], [start, end, 0, 0, 0, 0]]
    np.testing.assert_array_equal(rows, expected)  # what is too long loses its last words, never its end


def test_the_middle_of_a_photograph(tmp_path):
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    pixels[:, 20:60] = 255  # the middle square is white
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = square(tmp_path / "a.png", 10)
    assert found.shape == (3, 10, 10) and found.dtype == np.uint8
    assert (found[:, :, 1:-1] == 255).all()


@pytest.mark.data
def test_the_captions_of_the_first_thousand():
    data = load("flickr8k")
    assert data.train.y.shape[1:] == (5, 32) and len(data.tokenizer) == 2000
    text = data.train.y.reshape(-1, 32)
    assert (text[:, 0] == 1998).all() and ((text == 1999).sum(axis=1) == 1).all()
