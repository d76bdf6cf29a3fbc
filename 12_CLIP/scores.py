"""What a trained CLIP can do without being trained for it: name what is in an image, and find a text's image or an image's text.

Functions of a level (dlfs.levels) and arrays. `eq. n` is equation (n) of theory.md.
"""

import numpy as np

from .prompts import prompts

BATCH = 500
IMAGE_MEAN, IMAGE_STD = (  # of the channels of what CLIP was trained on
    np.array(values, dtype=np.float32)[:, None, None]
    for values in ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
)


def normalised(x):  # (B, C, H, W) in [0, 1]
    """Images with about mean 0 and deviation 1: those in colour as CLIP has them, those in grey as the digits need it."""
    return (x - IMAGE_MEAN) / IMAGE_STD if x.shape[1] == 3 else (x - 0.3) / 0.375


def encode_images(level, x):  # (N, C, H, W) in [0, 1]
    """The images' unit vectors (N, E)."""
    return encoded(level, level.model.encode_image, normalised(x))


def encode_texts(level, text):  # (…, T)
    """The texts' unit vectors (…, E)."""
    found = encoded(level, level.model.encode_text, text.reshape(-1, text.shape[-1]))
    return found.reshape(*text.shape[:-1], -1)


def encoded(level, encode, examples):
    level.train(False)
    with level.library.no_grad():
        parts = [encode(level.tensor(examples[i : i + BATCH])).cpu() for i in range(0, len(examples), BATCH)]
        return np.concatenate([np.asarray(part.numpy()) for part in parts])


# --------------------------------------------------------------------------------------------------- Zero-shot


def ensemble(texts):  # (K, M, E)
    """One unit vector a class (K, E): the mean over its M prompts, made 1 long again."""
    mean = texts.mean(axis=1)  # (K, E)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)  # eq. 30


def classify(images, classes):  # (N, E), (K, E)
    """The class (N,) whose vector is nearest to each image's."""
    return (images @ classes.T).argmax(axis=1)  # eq. 31


def zero_shot_accuracy(level, data):
    """The share of the test set's images that the ensemble of all prompts names rightly."""
    return zero_shot(level, data, ensemble(encode_texts(level, prompts(data.name).tokens)))


def one_prompt_accuracy(level, data):
    """The same with the first template alone."""
    return zero_shot(level, data, encode_texts(level, prompts(data.name).tokens[:, 0]))


def zero_shot(level, data, classes):
    return float((classify(encode_images(level, data.test.x), classes) == data.test.y).mean())


# --------------------------------------------------------------------------------------------------- Retrieval


def recall(similarity, relevant, k):  # (N, M), (N, M)
    """The share of the N queries of whose k most similar candidates one is relevant (a matrix of bools)."""
    k = min(k, similarity.shape[1])
    best = np.argpartition(-similarity, k - 1, axis=1)[:, :k]  # (N, k)
    return float(np.take_along_axis(relevant, best, axis=1).any(axis=1).mean())  # eq. 32


def similarities(level, data):
    """The cosines (N, N K) of the test set's images with all their captions, and which belong together."""
    images = encode_images(level, data.test.x)  # (N, E)
    texts = encode_texts(level, data.test.y)  # (N, K, E)
    N, K, E = texts.shape
    return images @ texts.reshape(N * K, E).T, np.repeat(np.eye(N, dtype=bool), K, axis=1)


def text_recall_at_10(level, data):
    """How often a caption of the image is among the ten nearest texts."""
    return recall(*similarities(level, data), 10)


def image_recall_at_1(level, data):
    """How often a caption's image is the nearest of all the test set's."""
    return recall(*(matrix.T for matrix in similarities(level, data)), 1)


def image_recall_at_10(level, data):
    return recall(*(matrix.T for matrix in similarities(level, data)), 10)
