"""`dlfs convert` on files that transformers and torchvision write themselves."""

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file

from dlfs.cli import main
from dlfs.convert import read_weights
from dlfs.levels import build_level
from dlfs.studies import find_study
from framework import serialization
from utils.errors import DLFSError

GPT = find_study("09")
TINY = dict(vocab_size=23, n_positions=10, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["convert", *map(str, arguments)])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.fixture
def gpt2():
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**TINY)).eval()


def assert_same_function(twin, state):
    """A level 3 of ours with this state computes what the twin computes."""
    x = np.random.default_rng(0).integers(0, 23, (2, 9))
    variant = "gpt2-tiny" if "ln_f.weight" in state else "gpt1-tiny"
    level = build_level(GPT, "paper", GPT.config(variant))
    level.load_state(state)
    with torch.no_grad():
        expected = twin(torch.from_numpy(x)).logits.numpy()
    np.testing.assert_allclose(level.predict((x,), (x,))[1][0], expected, atol=1e-6)


def saved(model, folder, kind):
    """The model in a file of this kind."""
    if kind == "safetensors":
        model.save_pretrained(folder)
        return folder / "model.safetensors"
    path = folder / f"model.{kind}"
    torch.save(model.state_dict(), path)
    return path


def test_without_out_a_file_is_only_checked(capsys, tmp_path, gpt2):
    before = {saved(gpt2, tmp_path, "pth")}
    code, said, _ = run(capsys, tmp_path / "model.pth", "--model", "09")
    assert code == 0 and "09_GPT, gpt2-tiny, read as twin" in said and "written" not in said
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["safetensors", "pth", "bin"])
def test_a_gpt2_of_transformers(capsys, tmp_path, gpt2, kind):
    out = tmp_path / "ours.safetensors"
    code, said, _ = run(capsys, saved(gpt2, tmp_path, kind), "--model", "09", "--out", out)
    assert code == 0 and "09_GPT, gpt2-tiny, read as twin: 36 arrays, 2,024 numbers" in said
    assert "could not be placed" not in said
    state = load_file(out)
    assert list(serialization.load(out)) == list(GPT.config("gpt2-tiny").shapes)
    assert_same_function(gpt2, state)


def test_a_gpt1_of_transformers(capsys, tmp_path):
    config = transformers.OpenAIGPTConfig(vocab_size=23, n_positions=10, n_embd=8, n_layer=2, n_head=2)
    twin = transformers.OpenAIGPTLMHeadModel(config).eval()
    code, said, _ = run(capsys, saved(twin, tmp_path, "pth"), "--model", "gpt", "--out", tmp_path / "o.safetensors")
    assert code == 0 and "gpt1-tiny, read as twin" in said
    assert_same_function(twin, load_file(tmp_path / "o.safetensors"))


def test_ours_as_transformers_loads_it(capsys, tmp_path, gpt2):
    """There and back: from_pretrained finds every weight in what --to twin wrote."""
    run(capsys, saved(gpt2, tmp_path, "pth"), "--model", "09", "--out", tmp_path / "ours.safetensors")
    folder = tmp_path / "theirs"
    code, _, _ = run(capsys, tmp_path / "ours.safetensors", "--model", "09", "--to", "twin", "--out", folder / "model.safetensors")  # fmt: skip
    assert code == 0
    gpt2.config.save_pretrained(folder)
    again, report = transformers.GPT2LMHeadModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    for (name, a), b in zip(gpt2.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_an_old_checkpoint_with_masks_and_without_prefix(capsys, tmp_path, gpt2):
    """As OpenAI's were first converted: the names of GPT2Model, and the causal mask of every block."""
    state = {name.removeprefix("transformer."): p for name, p in gpt2.state_dict().items() if name != "lm_head.weight"}
    for i in range(2):
        state |= {f"h.{i}.attn.bias": torch.ones(1, 1, 10, 10).tril(), f"h.{i}.attn.masked_bias": torch.tensor(-1e4)}
    torch.save(state, tmp_path / "old.bin")
    code, said, _ = run(capsys, tmp_path / "old.bin", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 0 and "could not be placed" not in said
    assert "left out on purpose: h.0.attn.bias and 3 more like it: the causal mask, which is computed" in said
    assert_same_function(gpt2, load_file(tmp_path / "o.safetensors"))


def test_a_checkpoint_of_nanogpt(capsys, tmp_path, gpt2):
    """nn.Linear where transformers has Conv1D; saved by a training, of a compiled model."""
    linear = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
    state = {f"_orig_mod.{name}": p.T if name.endswith(linear) else p for name, p in gpt2.state_dict().items()}
    torch.save(
        {"model": state, "optimizer": {"state": {}}, "iter_num": 5, "config": {"n_layer": 2}}, tmp_path / "ckpt.pt"
    )
    code, said, _ = run(capsys, tmp_path / "ckpt.pt", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 0 and "read as nanoGPT" in said
    assert_same_function(gpt2, load_file(tmp_path / "o.safetensors"))


def test_what_could_not_be_placed_is_named(capsys, tmp_path, gpt2):
    state = {**gpt2.state_dict(), "transformer.h.0.attn.c_attn.lora": torch.ones(3)}
    state["lm_head.weight"] = state["lm_head.weight"] + 1
    torch.save(state, tmp_path / "more.pth")
    code, said, _ = run(capsys, tmp_path / "more.pth", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 0
    assert "transformer.h.0.attn.c_attn.lora: could not be placed; the nearest is h.0.attn." in said
    assert "lm_head.weight: could not be placed; the nearest is" in said  # it is no longer that of the embedding


def test_a_misspelt_name_stops_it_and_nothing_is_written(capsys, tmp_path, gpt2):
    state = gpt2.state_dict()
    state["transformer.h.1.mlp.c_fcc.weight"] = state.pop("transformer.h.1.mlp.c_fc.weight")
    torch.save(state, tmp_path / "bad.pth")
    code, _, said = run(capsys, tmp_path / "bad.pth", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 1 and "is no checkpoint of 09_GPT. Of its configs gpt2-tiny comes nearest:" in said
    assert "h.1.mlp.fc.weight: not in the file" in said
    assert "transformer.h.1.mlp.c_fcc.weight: could not be placed; the nearest is h.1.mlp.fc.weight" in said
    assert not (tmp_path / "o.safetensors").exists()


def test_another_shape_is_named(capsys, tmp_path):
    other = transformers.GPT2LMHeadModel(transformers.GPT2Config(**TINY | {"vocab_size": 24}))
    code, _, said = run(capsys, saved(other, tmp_path, "pth"), "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 1 and "wte.weight: expected shape (23, 8), got (24, 8)" in said
    code, _, said = run(
        capsys, tmp_path / "model.pth", "--model", "09", "--variant", "gpt2", "--out", tmp_path / "o.safetensors"
    )
    assert code == 1 and "gpt2 comes nearest" in said and "wte.weight: expected shape (50257, 768), got (24, 8)" in said
    assert "more" in said.splitlines()[-1] and len(said.splitlines()) < 20


def test_the_published_sizes_are_told_apart(tmp_path, monkeypatch):
    """By shapes alone: GPT-2 medium's, of which no number is ever made."""
    config = GPT.facts.PUBLISHED["gpt2-medium"]
    state = {name: np.broadcast_to(np.float32(0), shape) for name, shape in config.shapes.items()}
    monkeypatch.setattr("dlfs.convert.read_state", lambda path: GPT.module("keymap.py").to_twin(state))
    monkeypatch.setattr(np, "concatenate", lambda parts, axis: np.broadcast_to(parts[0][..., :1], (*parts[0].shape[:-1], 3 * parts[0].shape[-1])))  # fmt: skip
    fit = read_weights(GPT, tmp_path / "any")
    assert fit.variant == "gpt2-medium" and fit.layout == "twin" and not fit.unplaced


def test_wrong_calls(capsys, tmp_path, gpt2):
    path = saved(gpt2, tmp_path, "pth")
    code, _, said = run(capsys, path, "--model", "09", "--out", tmp_path / "o.npz")
    assert code == 2 and "only .safetensors is written" in said
    code, _, said = run(capsys, path, "--model", "09", "--variant", "gpt3", "--out", tmp_path / "o.safetensors")
    assert code == 2 and "has no variant 'gpt3'. Did you mean gpt" in said
    code, _, said = run(capsys, tmp_path / "none.pth", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 1 and "there is no file" in said
    (tmp_path / "broken.pth").write_bytes(path.read_bytes()[:500])
    code, _, said = run(capsys, tmp_path / "broken.pth", "--model", "09", "--out", tmp_path / "o.safetensors")
    assert code == 1 and "broken.pth" in said and "Traceback" not in said
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(DLFSError, match="holds a list, not a state dict"):
        read_weights(GPT, tmp_path / "list.pth")
    torch.save({"step": 3, "lr": 0.1}, tmp_path / "numbers.pth")
    with pytest.raises(DLFSError, match="holds no arrays by name, only step, lr"):
        read_weights(GPT, tmp_path / "numbers.pth")


def test_a_run_of_dlfs_train_is_read_too(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["train", "02", "--level", "by-hand", "--epochs", "1", "--save-dir", str(tmp_path / "run")])
    path = tmp_path / "run" / "by-hand" / "checkpoint.safetensors"
    code, said, _ = run(capsys, path, "--model", "02", "--out", tmp_path / "o.safetensors")
    assert code == 0 and "read as our own: 4 arrays" in said
    expected = serialization.load(path)["model"]
    for name, tensor in serialization.load(tmp_path / "o.safetensors").items():
        np.testing.assert_array_equal(tensor.numpy(), np.asarray(getattr(expected[name], "array", expected[name])))


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_resnet_of_torchvision(capsys, tmp_path, kind):
    study = find_study("05")
    if not study.levels:
        pytest.skip("05 is not written")
    import torchvision
    from safetensors.torch import save_file

    model = torchvision.models.resnet18()
    path = tmp_path / f"resnet.{kind}"
    save_file(model.state_dict(), path) if kind == "safetensors" else torch.save(model.state_dict(), path)
    code, said, _ = run(capsys, path, "--model", "05", "--out", tmp_path / "o.safetensors")
    assert code == 0 and "resnet18, read as our own" in said and "could not be placed" not in said
    found = load_file(tmp_path / "o.safetensors")
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)
