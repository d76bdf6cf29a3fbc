"""Trainer: each thing it promises against a closed form, a longer way round, or the same run left alone."""

import json
import math
import random
import re
import textwrap

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import framework
import framework.trainer
from framework import checkpoint, nn, optim
from framework.callbacks import Callback, Curves, Progress, TensorBoard
from framework.data import DataLoader, TensorDataset
from framework.optim import lr_scheduler
from framework.trainer import CHECKPOINT, LOG, NonFiniteError, Trainer


def linear(seed=0):
    framework.manual_seed(seed)
    return nn.Linear(3, 1).to(framework.float64)


def batches(*sizes, seed=1):
    rng = np.random.default_rng(seed)
    return [tuple(framework.tensor(rng.standard_normal((size, n))) for n in (3, 1)) for size in sizes]


def squared(model, x, y):
    return ((model(x) - y) ** 2).mean()


def sgd(model, loader, lr=0.1, **options):
    options = {"loss": squared, "callbacks": [], **options}
    return Trainer(model, optim.SGD(model.parameters(), lr=lr), loader, **options)


def bits(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def flat(state):
    return np.concatenate([tensor.numpy().ravel() for tensor in state.values()])


# ------------------------------------------------------------------------------------------------------ The loop


def test_the_example_of_the_docstring_runs_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [line for line in framework.trainer.__doc__.splitlines() if line.startswith("    ") or not line]
    code = textwrap.dedent("\n".join(lines))
    first, second = {}, {}
    exec(code, first)
    assert [row["epoch"] for row in first["rows"]] == [0, 1, 2, 3, 4, 5]
    assert first["rows"][-1]["train_loss"] < first["rows"][1]["train_loss"]
    assert {path.name for path in (tmp_path / "runs/first").iterdir()} == {"log.jsonl", "curves.png", CHECKPOINT}
    exec(code.replace("epochs=5", "epochs=7"), second)
    assert second["rows"][:6] == first["rows"] and second["trainer"].step == 70
    assert code.count("\n") <= 25 and "epoch 5/5  train loss" in capsys.readouterr().out


def test_accumulated_batches_move_the_weights_as_one_batch():
    parts = batches(7, 7, 3, 5)
    whole = [tuple(framework.cat(each) for each in zip(*group)) for group in (parts[:3], parts[3:])]
    one, other = linear(), linear()
    rows = sgd(one, whole).fit(epochs=3)
    accumulated = sgd(other, parts, accumulate=3)
    again = accumulated.fit(epochs=3)
    assert accumulated.step == 6
    np.testing.assert_allclose(flat(other.state_dict()), flat(one.state_dict()), rtol=1e-12)
    assert [row["train_loss"] for row in again[1:]] == pytest.approx([row["train_loss"] for row in rows[1:]], rel=1e-12)


def test_the_training_loss_is_the_mean_over_the_examples():
    model = linear()
    parts = batches(7, 2)
    expected = squared(model, *(framework.cat(each) for each in zip(*parts))).item()
    assert sgd(model, parts, lr=0.0).fit(epochs=1)[-1]["train_loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("clip", [1e-3, 1e3])
def test_clip_limits_the_norm_of_a_step(clip):
    model = linear()
    before = flat(model.state_dict())
    free = linear()
    sgd(free, batches(8), lr=1.0).fit(steps=1)
    sgd(model, batches(8), lr=1.0, clip=clip).fit(steps=1)
    moved, unclipped = flat(model.state_dict()) - before, flat(free.state_dict()) - before
    norm = np.linalg.norm(unclipped)
    np.testing.assert_allclose(moved, unclipped * min(1, clip / norm), rtol=1e-5)


def test_ema_is_the_recurrence_and_evaluation_uses_it():
    weights = []

    class Record(Callback):
        def on_step(self, trainer):
            weights.append(flat(trainer.model.state_dict()))

    model, valid = linear(), batches(6, seed=5)
    average = flat(model.state_dict())
    trainer = sgd(model, batches(4, 4, 4), ema=0.5, valid=valid, callbacks=[Record()])
    rows = trainer.fit(epochs=4)
    for step, weight in enumerate(weights, start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    np.testing.assert_allclose(flat(trainer.result()), average, rtol=1e-12)
    assert (flat(model.state_dict()) == weights[-1]).all()  # evaluation has put the weights back
    model.load_state_dict(trainer.result())
    assert rows[-1]["valid_loss"] == pytest.approx(squared(model, *valid[0]).item(), rel=1e-12)


def test_early_stopping_stops_and_keeps_the_best(tmp_path):
    losses = iter([9, 5, 3, 4, 3.5, 6, 1, 1])
    seen = []

    def valid():
        seen.append(flat(model.state_dict()))
        return {"valid_loss": next(losses)}

    model = linear()
    trainer = sgd(model, batches(4, 4), valid=valid, early_stopping=3, folder=tmp_path)
    rows = trainer.fit(epochs=50)
    assert [row["valid_loss"] for row in rows] == [9, 5, 3, 4, 3.5, 6]
    assert (flat(trainer.result()) == seen[2]).all() and trainer.best["epoch"] == 2
    resumed = sgd(linear(1), batches(4, 4), valid=valid, early_stopping=3, folder=tmp_path)
    assert resumed.fit(epochs=50, resume=True) == rows  # a run that had stopped stays so
    assert (flat(resumed.result()) == seen[2]).all()


def test_steps_may_end_within_an_epoch_and_fit_goes_on_from_there():
    whole, parts = (nn.Sequential(linear(), nn.Dropout(0.5)) for _ in range(2))
    data, generator = TensorDataset(*batches(20)[0]), framework.default_generator  # the loader's is also dropout's
    loader = [DataLoader(data, batch_size=4, shuffle=True, generator=generator) for _ in range(2)]
    framework.manual_seed(7)
    sgd(whole, loader[0]).fit(steps=13)
    trainer = sgd(parts, loader[1])
    framework.manual_seed(7)
    for steps in (2, 5, 6, 13):
        trainer.fit(steps=steps)
        assert trainer.step == steps
    assert bits(whole) == bits(parts) and trainer.epoch == 3


def test_reports_come_every_so_many_steps():
    rows = sgd(linear(), batches(4, 4, 4), evaluate_every=2, valid=batches(4)).fit(epochs=3)
    assert [(row["epoch"], row["step"]) for row in rows] == [(0, 0), (1, 2), (2, 4), (2, 6), (3, 8), (3, 9)]
    assert all("train_loss" in row and "valid_loss" in row for row in rows[1:])


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_schedulers_step_after_epochs_or_steps(interval):
    rates = []

    class Record(Callback):
        def on_step(self, trainer):
            rates.append(trainer.optimizer.param_groups[0]["lr"])

    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    options = dict(loss=squared, scheduler=scheduler, scheduler_interval=interval, callbacks=[Record()])
    Trainer(model, optimizer, batches(2, 2), **options).fit(epochs=2)
    assert rates == ([1, 1, 0.5, 0.5] if interval == "epoch" else [0.5, 0.25, 0.125, 0.0625])


def test_a_plateau_is_seen_on_the_validation_loss():
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
    losses = iter([5, 4, 4, 4, 4, 4])
    options = dict(loss=squared, scheduler=scheduler, valid=lambda: {"valid_loss": next(losses)}, callbacks=[])
    Trainer(model, optimizer, batches(2), **options).fit(epochs=5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


class Scaler:
    """The face of a gradient scaler; its scale doubles at every update."""

    def __init__(self):
        self.value, self.passed_over = 2.0, 0

    def scale(self, loss):
        return loss * self.value

    def unscale_(self, optimizer):
        for param in optimizer.param_groups[0]["params"]:
            param.grad = param.grad / self.value

    def step(self, optimizer):
        if all(bool(param.grad.isfinite().all()) for param in optimizer.param_groups[0]["params"]):
            optimizer.step()
        else:
            self.passed_over += 1

    def update(self):
        self.value *= 2

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


def test_a_scaler_is_stepped_and_saved(tmp_path):
    plain, scaled = linear(), linear()
    sgd(plain, batches(4, 4), clip=0.1).fit(epochs=2)
    scaler = Scaler()
    sgd(scaled, batches(4, 4), clip=0.1, scaler=scaler, folder=tmp_path).fit(epochs=2)
    assert bits(plain) == bits(scaled) and scaler.value == 32
    again = Scaler()
    sgd(linear(), batches(4, 4), clip=0.1, scaler=again, folder=tmp_path).fit(epochs=2, resume=True)
    assert again.value == 32
    scaler.value = math.inf
    with np.errstate(all="ignore"):
        sgd(scaled, batches(4), scaler=scaler).fit(steps=1)
    assert scaler.passed_over == 1 and bits(plain) == bits(scaled)


def test_metrics_are_means_in_evaluation_mode_and_leave_random_numbers_alone():
    model = nn.Sequential(linear(), nn.Dropout(0.5))

    def draws(model, x, y):
        return float(framework.rand(1).item() < 2) * len(x) + (not model.training)

    parts = batches(5, 2)
    with_valid = Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), batches(4, 4), loss=squared,
        valid=parts, metrics={"size": draws}, callbacks=[],
    )  # fmt: skip
    framework.manual_seed(3)
    rows = with_valid.fit(epochs=3)
    without = nn.Sequential(linear(), nn.Dropout(0.5))
    framework.manual_seed(3)
    again = sgd(without, batches(4, 4)).fit(epochs=3)
    assert bits(model) == bits(without) and model.training
    assert [row["train_loss"] for row in rows[1:]] == [row["train_loss"] for row in again[1:]]
    assert rows[0]["valid_size"] == pytest.approx((25 + 4) / 7 + 1)
    whole = [framework.cat(each) for each in zip(*parts)]
    expected = squared(model.eval(), *whole).item()
    assert rows[-1]["valid_loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(accumulate=0), "accumulate should be an integer of at least 1, got 0"),
        (dict(clip=0.0), "clip should be positive, got 0.0"),
        (dict(ema=1.0), "ema should be at least 0 and less than 1"),
        (dict(checkpoint_every="often"), "checkpoint_every should be a number of steps"),
        (dict(checkpoint_every="0s"), "checkpoint_every should be a number of steps"),
        (dict(scheduler_interval="batch"), "should be 'epoch' or 'step'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sgd(linear(), batches(4), **options)


def test_a_loader_that_is_used_up_is_refused():
    with pytest.raises(ValueError, match="the loader gave no batch in epoch 2; can it be iterated again?"):
        sgd(linear(), iter(batches(4, 4))).fit(epochs=3)
    with pytest.raises(ValueError, match="say how far"):
        sgd(linear(), batches(4)).fit()


# -------------------------------------------------------------------------------------------------- Going on


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, trainer):
        if trainer.step == self.step:
            raise KeyboardInterrupt


class Counted(Callback):
    """A callback with a state: how many steps it has seen, in however many lives."""

    def __init__(self):
        self.steps = 0

    def on_step(self, trainer):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


def noisy_run(folder, kind, seed, stop=None, **options):
    """A run in which everything that is saved matters: five generators, Adam's moments, BatchNorm's statistics, a schedule."""
    framework.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)).to(framework.float64)
    data = TensorDataset(*batches(22)[0])
    loader = {
        "list": lambda: batches(4, 4, 4, 4, 4, 2),
        "loader": lambda: DataLoader(data, batch_size=4, shuffle=True),
        "generator": lambda: DataLoader(data, 4, shuffle=True, generator=framework.Generator().manual_seed(5)),
        "workers": lambda: DataLoader(data, batch_size=4, shuffle=True, num_workers=1),
    }[kind]()
    optimizer = optim.Adam(model.parameters(), lr=0.01, amsgrad=True)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=40)

    def loss(model, x, y):
        return squared(model, x + random.random() * np.random.rand(), y)

    trainer = Trainer(
        model, optimizer, loader, loss=loss, valid=batches(5), scheduler=scheduler, scheduler_interval="step", folder=folder,
        callbacks=[Counted(), StopAt(stop)], checkpoint_every=1, **options,
    )  # fmt: skip
    framework.manual_seed(seed), np.random.seed(seed), random.seed(seed)
    return trainer


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("loader", dict()),
        ("loader", dict(accumulate=4, ema=0.9, clip=0.5, early_stopping=2)),
        ("list", dict(accumulate=4, evaluate_every=1)),
        ("generator", dict(accumulate=2, evaluate_every=4)),
    ],
    ids=["plain", "everything", "list", "generator"],
)
def test_stopped_after_any_step_a_run_ends_with_the_same_bits(tmp_path, kind, options):
    whole = noisy_run(tmp_path / "whole", kind, seed=1, **options)
    rows = whole.fit(epochs=3)
    for stop in range(1, whole.step + 1):
        folder = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            noisy_run(folder, kind, seed=1, stop=stop, **options).fit(epochs=3)
        resumed = noisy_run(folder, kind, seed=2, **options)
        again = resumed.fit(epochs=3, resume=True)
        assert bits(resumed.model) == bits(whole.model), stop
        assert flat(resumed.result()).tobytes() == flat(whole.result()).tobytes()
        assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in again]
        assert resumed.callbacks[0].steps == whole.step
        assert [json.loads(line) for line in (folder / LOG).read_text().splitlines()] == again
        assert resumed.optimizer.param_groups[0]["lr"] == whole.optimizer.param_groups[0]["lr"]


def test_a_run_with_workers_goes_on_to_the_same_bits(tmp_path):
    whole = noisy_run(tmp_path / "whole", "workers", seed=1)
    whole.fit(epochs=2)
    with pytest.raises(KeyboardInterrupt):
        noisy_run(tmp_path / "part", "workers", seed=1, stop=8).fit(epochs=2)
    resumed = noisy_run(tmp_path / "part", "workers", seed=2)
    resumed.fit(epochs=2, resume=True)
    assert bits(resumed.model) == bits(whole.model)


def test_a_checkpoint_is_written_every_so_many_steps_or_seconds(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Trainer, "save", lambda self: saved.append(self.step) or Trainer_save(self))
    sgd(linear(), batches(*[2] * 7), folder=tmp_path / "a", checkpoint_every=3).fit(epochs=2)
    assert saved == [0, 3, 6, 7, 10, 13, 14]
    saved.clear()
    clock = iter(range(1000))
    monkeypatch.setattr("framework.trainer.time.monotonic", lambda: next(clock))  # one second a look
    sgd(linear(), batches(*[2] * 7), folder=tmp_path / "b", checkpoint_every="2s").fit(epochs=1)
    assert saved == [0, 2, 4, 6, 7]


Trainer_save = Trainer.save


def test_a_run_is_not_overwritten(tmp_path):
    sgd(linear(), batches(2), folder=tmp_path).fit(epochs=1)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(FileExistsError, match="go on from it with resume=True"):
        sgd(linear(), batches(2), folder=tmp_path).fit(epochs=1)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_the_checkpoint_is_safetensors_with_all_parts(tmp_path):
    trainer = noisy_run(tmp_path, "loader", seed=1, ema=0.9)
    trainer.fit(epochs=1)
    tensors = load_file(tmp_path / CHECKPOINT)
    assert (tensors["model.0.weight"] == trainer.model[0].weight.numpy(force=True)).all()
    assert {name.split(".")[0] for name in tensors} == {"model", "ema", "optimizer"}
    content = checkpoint.read(tmp_path / CHECKPOINT)
    assert {
        "model",
        "ema",
        "optimizer",
        "scheduler",
        "loader",
        "random",
        "callback 0",
        "rows",
        "step",
    } <= content.keys()
    assert {"engine", "numpy", "python"} == content["random"].keys()


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def damage_bit(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def foreign_tensors(path):
    save_file({"weight": np.zeros(3)}, path)


def foreign_version(path):
    framework.save({"format": "dlfs checkpoint 99"}, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage_cut, "no whole safetensors file"),
        (damage_bit, "is damaged: its checksum differs"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (foreign_tensors, "no checkpoint of a training run: it holds weight"),
        (foreign_version, "a checkpoint of the format 'dlfs checkpoint 99'; this version reads"),
    ],
    ids=["cut", "bit", "empty", "foreign", "version"],
)
def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path, change, message):
    sgd(linear(), batches(4), folder=tmp_path).fit(epochs=1)
    path = tmp_path / CHECKPOINT
    change(path)
    with pytest.raises(checkpoint.UnreadableFile, match=message) as error:
        sgd(linear(), batches(4), folder=tmp_path).fit(epochs=2, resume=True)
    assert str(path) in str(error.value)


def other_model():
    framework.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 1)).to(framework.float64)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: sgd(other_model(), batches(4), folder=folder),
            "a checkpoint of another run: .*missing: 0.weight",
        ),
        (lambda folder: sgd(linear(), batches(4), folder=folder, ema=0.9), "only one of it and this run has ema"),
        (
            lambda folder: sgd(linear(), batches(4), folder=folder, scaler=Scaler()),
            "its scaler is none, this run's Scaler",
        ),
        (
            lambda folder: Trainer(
                linear(), optim.Adam(linear().parameters()), batches(4), callbacks=[], folder=folder
            ),
            "its optimizer is SGD, this run's Adam",
        ),
        (
            lambda folder: sgd(linear(), DataLoader(TensorDataset(*batches(4)[0])), folder=folder),
            "its loader is Replayed, this run's DataLoader",
        ),
    ],
    ids=["model", "ema", "scaler", "optimizer", "loader"],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, make, message):
    sgd(linear(), batches(4), folder=tmp_path).fit(epochs=1)
    with pytest.raises(checkpoint.UnreadableFile, match=f"(?s){message}"):
        make(tmp_path).fit(epochs=2, resume=True)


# ------------------------------------------------------------------------------------------------ Failing well


def nan_at(step, function):
    """A loss that is `function` of the parameters from the given call on."""
    calls = []

    def loss(model, x, y):
        calls.append(1)
        return squared(model, x, y) + (function(model) if len(calls) >= step else 0)

    return loss


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda model: (model.weight.sum() * 0 - 1).log(), "the loss is nan. log made the first NaN, in forward"),
        (lambda model: (model.weight * 0).sqrt().sum(), "the norm of the gradients is nan. backward of mul"),
        (lambda model: (model.weight * 0 + 1e3).exp().sum(), "the loss is inf. "),
    ],
    ids=["forward", "backward", "overflow"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_nan_names_step_op_and_last_good_checkpoint(tmp_path, function, what):
    model = linear()
    trainer = sgd(model, batches(4, 4, 4), loss=nan_at(6, function), folder=tmp_path, checkpoint_every=2)
    with pytest.raises(NonFiniteError) as error:
        trainer.fit(epochs=3)
    message = str(error.value)
    assert message.startswith("step 6 (epoch 2): ") and what in message, message
    assert message.endswith(f"The last good checkpoint is of step 5: {tmp_path / CHECKPOINT}")
    assert all(np.isfinite(tensor).all() for name, tensor in load_file(tmp_path / CHECKPOINT).items())
    good = linear()
    sgd(good, batches(4, 4, 4)).fit(steps=5)
    assert bits(model) == bits(good)  # the bad step changed nothing


def test_a_nan_of_dropout_is_found_with_the_same_mask():
    """The step is made again with the same random numbers: only one mask in 2^20 keeps all, and it is this one."""
    model = linear()
    framework.manual_seed(0)
    unlucky = framework.rand(1).item()

    def loss(model, x, y):
        drawn = framework.rand(1)
        return squared(model, x, y) + ((drawn - unlucky).abs().sum() - (drawn == unlucky).sum()).sqrt()

    framework.manual_seed(0)
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="sqrt made the first NaN"):
        sgd(model, batches(4), loss=loss).fit(steps=1)


def test_a_nan_in_the_batch_or_the_weights_is_named():
    bad = batches(4)
    bad[0][0][1, 2] = math.nan
    with pytest.raises(NonFiniteError, match=r"step 1 \(epoch 1\): the loss is nan. The batch itself holds a NaN"):
        sgd(linear(), bad).fit(epochs=1)
    model = linear()
    with framework.no_grad():
        model.bias[0] = math.nan
    with pytest.raises(NonFiniteError, match="bias holds a NaN already"):
        sgd(model, batches(4)).fit(epochs=1)


# ------------------------------------------------------------------------------------------------- Watching it


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys):
    sgd(linear(), batches(4, 4), callbacks=[Progress("A run")], valid=batches(4)).fit(epochs=40)
    out = capsys.readouterr().out
    assert "\x1b" not in out and out.startswith("A run\n")
    lines = out.splitlines()[1:]
    assert len(lines) == 11 and lines[-1].startswith("  epoch 40/40  train loss ") and "valid loss" in lines[-1]
    sgd(linear(), batches(4, 4), callbacks=[Progress()]).fit(steps=3)
    assert "  step 3/3  train loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (framework.zeros(4, 3), r"[\d,]+ examples/s"),
        (framework.zeros(4, 3, 2, 2), r"[\d,]+ images/s"),
        (framework.zeros(4, 3, dtype=framework.int64), r"[\d,]+ tokens/s"),
    ],
)
def test_progress_says_how_fast(capsys, monkeypatch, x, said):
    """Two steps a report of half a second each: 4 examples, or 12 tokens, a step."""
    clock = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr(framework.trainer.time, "perf_counter", lambda: float(next(clock)))
    model = linear()
    loss = lambda model, x, y: (model.weight.sum() - y.mean()) ** 2
    trainer = sgd(model, [(x, framework.zeros(4, 1).to(framework.float64))] * 2, loss=loss, callbacks=[Progress()])
    trainer.fit(epochs=1)
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.search(f" s, {said}$", line)
    assert trainer.speed.split()[0] == ("24" if "tokens" in said else "8")


def test_curves_are_a_png_and_the_log_is_the_rows(tmp_path):
    trainer = sgd(linear(), batches(4), valid=batches(4), folder=tmp_path, callbacks=[Curves(tmp_path / "curves.png")])
    rows = trainer.fit(epochs=3)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()] == rows


def test_tensorboard_reads_what_is_written(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = sgd(linear(), batches(4, 4), valid=batches(4), callbacks=[TensorBoard(tmp_path)]).fit(epochs=3)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = [(event.step, event.tensor_proto.float_val[0]) for event in events.Tensors("train_loss")]
    assert found == [(row["step"], pytest.approx(row["train_loss"])) for row in rows[1:]]


def test_tensorboard_that_is_missing_is_refused_with_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.summary", None)
    with pytest.raises(ImportError, match="tensorboard is not installed: pip install tensorboard"):
        TensorBoard(tmp_path)
