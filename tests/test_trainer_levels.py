"""The trainer with PyTorch's own modules, and with every level of a model: resumed to the same bits, and a NaN explained."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from dlfs.levels import build_level, initial_level
from dlfs.studies import find_study
from framework import checkpoint
from framework.callbacks import Callback
from framework.trainer import CHECKPOINT, NonFiniteError, Trainer
from utils.data_loaders import Dataset, Split, load
from utils.errors import DLFSError
from utils.training_utils import Plan, train

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, trainer):
        if trainer.step == self.step:
            raise KeyboardInterrupt


# -------------------------------------------------------------------------------------------- PyTorch's modules


def torch_run(folder, seed, stop=None, **options):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
    )
    data = torch.utils.data.TensorDataset(torch.randn(22, 3), torch.randn(22, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    trainer = Trainer(
        model,
        optimizer,
        torch.utils.data.DataLoader(data, batch_size=4, shuffle=True),
        loss=options.pop("loss", lambda model, x, y: ((model(x) - y) ** 2).mean()),
        scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=40),
        scheduler_interval="step",
        callbacks=[StopAt(stop)],
        folder=folder,
        checkpoint_every=1,
        **options,
    )
    torch.manual_seed(seed)
    return trainer


@pytest.mark.parametrize("options", [dict(), dict(accumulate=4, ema=0.9, clip=0.5)], ids=["plain", "everything"])
def test_pytorchs_modules_and_loaders_go_on_to_the_same_bits(tmp_path, options):
    whole = torch_run(tmp_path / "whole", seed=1, **options)
    whole.fit(epochs=3)
    for stop in range(1, whole.step + 1, 3):
        folder = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            torch_run(folder, seed=1, stop=stop, **options).fit(epochs=3)
        resumed = torch_run(folder, seed=2, **options)
        resumed.fit(epochs=3, resume=True)
        for name, tensor in whole.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name]), (stop, name)
        for name, tensor in whole.result().items():
            assert torch.equal(tensor, resumed.result()[name]), (stop, name)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda model: (model[0].weight.sum() * 0 - 1).log(), "the loss is nan. aten.log.default made the first NaN"),
        (lambda model: (model[0].weight * 0).sqrt().sum(), "Function 'MulBackward0' returned nan values"),
    ],
    ids=["forward", "backward"],
)
def test_a_nan_in_pytorch_names_the_op(tmp_path, function, what):
    calls = []

    def loss(model, x, y):
        calls.append(1)
        return ((model(x) - y) ** 2).mean() + (function(model) if len(calls) >= 6 else 0)

    with pytest.raises(NonFiniteError) as error:
        torch_run(tmp_path, seed=1, loss=loss).fit(epochs=3)
    message = str(error.value)
    assert message.startswith("step 6 (epoch 1): ") and what in message, message
    assert message.endswith(f"The last good checkpoint is of step 5: {tmp_path / CHECKPOINT}")


def test_bfloat16_is_saved_exactly(tmp_path):
    state = {"w": torch.randn(5).bfloat16()}
    checkpoint.write(tmp_path / CHECKPOINT, {"model": state})
    assert torch.equal(checkpoint.read(tmp_path / CHECKPOINT, torch)["model"]["w"].bfloat16(), state["w"])


# ------------------------------------------------------------------------------------------------------- Levels

LEVELS = ("by-hand", "engine", "lowlevel", "paper")
STUDY = find_study("02")
CONFIG = STUDY.recipe("digits")[1]["config"]


def make_batch(x, y, rng):
    """With noise of the batch's own, so that its generator matters."""
    x = x.reshape(len(x), -1)
    return (x + 0.1 * rng.standard_normal(x.shape).astype(x.dtype),), (y,)


PLAN = Plan(epochs=2, batch_size=32, lr=1e-2, accumulate=3, clip=0.5, ema=0.9, early_stopping=5, make_batch=make_batch)
PLAN = replace(PLAN, checkpoint_every=2, seed=3)


def small_digits():
    data = load("digits")
    return Dataset("digits", Split(data.train.x[:300], data.train.y[:300]), data.valid, data.test)


def level(name):
    made = build_level(STUDY, name, CONFIG)
    made.load_state(initial_level(STUDY, CONFIG, seed=3).state())
    return made


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("stop", [1, 3, 4, 7])
def test_every_level_goes_on_within_an_epoch_to_the_same_bits(tmp_path, name, stop):
    whole, stopped, resumed = level(name), level(name), level(name)
    rows = train(whole, small_digits(), PLAN, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(stopped, small_digits(), PLAN, tmp_path / "part", [StopAt(stop)])
    again = train(resumed, small_digits(), PLAN, tmp_path / "part")
    one, other = (load_file(tmp_path / folder / CHECKPOINT) for folder in ("whole", "part"))
    assert one.keys() == other.keys() and all(one[key].tobytes() == other[key].tobytes() for key in one)
    assert {key.split(".")[0] for key in one} == {"model", "ema", "optimizer", "best"}
    for key, array in whole.state().items():
        assert array.tobytes() == resumed.state()[key].tobytes(), key
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in again]


def test_accumulation_clipping_and_averages_mean_the_same_at_every_level(tmp_path):
    """In float64, over eight steps of three uneven batches: the levels differ by rounding alone."""
    states = {}
    for name in LEVELS:
        made = build_level(STUDY, name, CONFIG, dtype="float64")
        start = initial_level(STUDY, CONFIG, seed=3).state()
        made.load_state({key: array.astype(np.float64) for key, array in start.items()})
        data = small_digits()
        x = data.train.x.astype(np.float64)
        data = Dataset(
            "digits", Split(x, data.train.y), *(Split(s.x.astype(np.float64), s.y) for s in (data.valid, data.test))
        )
        plan = replace(PLAN, optimizer="sgd", lr=0.1, optimizer_options={"momentum": 0.9})
        train(made, data, plan, tmp_path / name)
        states[name] = made.state()
    for name in LEVELS:
        for key, array in states[name].items():
            np.testing.assert_allclose(
                array, states["paper"][key], rtol=0, atol=1e-12 * np.abs(array).max(), err_msg=name
            )


NAN_SOURCES = {
    "by-hand": "log_probs in MLP.loss is the first array that holds a NaN",
    "engine": "cross_entropy made the first NaN, in forward",
    "lowlevel": "aten.sub.Tensor made the first NaN, in forward",
    "paper": "aten._log_softmax.default made the first NaN, in forward",
}


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_nan_at_every_level_is_one_clean_error(tmp_path, name):
    made = level(name)
    made.load_state({key: np.full_like(array, 3e38) for key, array in made.state().items()})
    with pytest.raises(DLFSError) as error:
        train(made, small_digits(), replace(PLAN, ema=None), tmp_path)
    message = str(error.value)
    assert message.startswith("step 1 (epoch 1): the loss is nan. ")
    assert f"The last good checkpoint is of step 0: {tmp_path / CHECKPOINT}" in message
    assert NAN_SOURCES[name] in message


def test_the_weights_of_a_checkpoint_are_plain_safetensors(tmp_path):
    train(level("by-hand"), small_digits(), replace(PLAN, ema=None, early_stopping=None), tmp_path)
    content = checkpoint.read(tmp_path / CHECKPOINT)
    made = level("paper")
    made.load_state(content["model"])
    assert content["epoch"] == 2 and json.dumps(content["rows"])
