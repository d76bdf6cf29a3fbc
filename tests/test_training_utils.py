"""The training loop: the same batches for all, resumed runs that end bit for bit like others, and files that are never half written."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import framework
from framework import backend
from framework.callbacks import Callback
from utils.data_loaders import Dataset, Split
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.training_utils import CHECKPOINT, LOG, Plan, TrainingBatches, accuracy, evaluate, train


class Mean:
    """A learner whose one weight follows the batches by momentum, with noise: any slip in order, state or seed changes it."""

    scaler = None

    def __init__(self):
        self.weight, self.seen = framework.zeros(3, dtype=framework.float64).requires_grad_(), []

    def use_optimizer(self, name, lr, options):
        self.optimizer = framework.optim.SGD([self.weight], lr=lr, momentum=0.9)

    def set_lr(self, lr):
        self.optimizer.param_groups[0]["lr"] = lr

    def manual_seed(self, seed):
        framework.manual_seed(seed)

    def train(self, mode=True):
        pass

    def state_dict(self):
        return {"weight": self.weight.detach()}

    def load_state_dict(self, state):
        if list(state) != ["weight"]:
            raise RuntimeError(f"unexpected: {', '.join(state)}")
        self.weight.detach().copy_(state["weight"])

    def loss(self, inputs, targets):
        (x,), (y,) = inputs, targets
        self.seen.append(y.tolist())
        noise = framework.randn(3, dtype=framework.float64)
        return ((self.weight - framework.tensor(x).mean(dim=0) + noise) ** 2).sum()

    def predict(self, inputs, targets):
        x, weight = inputs[0], self.weight.numpy(force=True)
        return float(((x - weight) ** 2).mean()), (x * weight,)

    def bits(self):
        buffer = self.optimizer.state_dict()["state"][0]["momentum_buffer"]
        return self.weight.numpy(force=True).tobytes() + buffer.numpy().tobytes()


def dataset(n=50):
    rng = np.random.default_rng(0)
    splits = [Split(rng.standard_normal((m, 3)), np.arange(m) % 3) for m in (n, 12, 13)]
    return Dataset("noise", *splits)


PLAN = Plan(epochs=6, batch_size=8, lr=0.1, seed=3)


def batches(plan, epoch, split=None):
    """The batches of one epoch, counted from 1."""
    loader = TrainingBatches(split or dataset().train, plan)
    loader.epoch = epoch - 1
    return list(loader)


def test_every_example_once_an_epoch_in_an_order_of_seed_and_epoch():
    split = Split(np.arange(50.0)[:, None], np.arange(50))

    def epoch(plan, number):
        found = batches(plan, number, split)
        assert [len(y) for _, (y,) in found] == [8] * 6 + [2]
        for (x,), (y,) in found:
            assert len(x) == len(y) and (x[:, 0] == y).all()
        return [int(y) for _, (ys,) in found for y in ys]

    first = epoch(PLAN, 1)
    assert sorted(first) == list(range(50)) and first != list(range(50))
    assert first == epoch(PLAN, 1)
    assert first != epoch(PLAN, 2) and first != epoch(replace(PLAN, seed=4), 1)


@pytest.mark.parametrize("given", [0, 1, 5, 7])
def test_batches_go_on_where_they_were_left(given):
    plan = replace(PLAN, make_batch=lambda x, y, rng: ((x, rng.standard_normal(3)), (y,)))
    first, second = TrainingBatches(dataset().train, plan), TrainingBatches(dataset().train, plan)
    whole = [str(batch) for batch in first] + [str(batch) for batch in first]
    list(second)
    begun = iter(second)
    parts = [str(next(begun)) for _ in range(given)]
    third = TrainingBatches(dataset().train, plan)
    third.load_state_dict(json.loads(json.dumps(second.state_dict())))
    assert parts + [str(batch) for batch in third] == whole[7:]
    assert third.state_dict()["rng"] is None and len(third) == 7


def test_batches_of_examples_about_equally_long():
    """Every example once an epoch, in batches whose lengths hardly differ; the order is a function of seed and epoch, resumed or not."""
    rng = np.random.default_rng(0)
    split = Split(rng.integers(1, 50, (997, 1)), np.arange(997))
    plan = replace(PLAN, lengths=lambda split: split.x[:, 0])

    def epoch(plan, number):
        found = batches(plan, number, split)
        assert [len(y) for _, (y,) in found] == [8] * 124 + [5]
        assert sorted(int(y) for _, (ys,) in found for y in ys) == list(range(997))
        return [x[:, 0] for (x,), _ in found]

    first = epoch(plan, 1)
    assert np.mean([np.ptp(x) for x in first]) < 1.5 < 30 < np.mean([np.ptp(x) for x in epoch(PLAN, 1)])
    places = [int(x[0]) for x in first]
    assert places != sorted(places), "long batches come among short ones"
    assert str(first) == str(epoch(plan, 1)) != str(epoch(plan, 2))
    loader = TrainingBatches(split, plan)
    begun = iter(loader)
    given = [next(begun)[0][0][:, 0] for _ in range(50)]
    rest = TrainingBatches(split, plan)
    rest.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert str(given + [x[:, 0] for (x,), _ in rest]) == str(first)


def test_final_metrics_are_of_the_test_set_in_the_last_row_alone(tmp_path):
    seen = []

    def largest(learner, data):
        seen.append(learner.weight.numpy(force=True).copy())
        return float(data.test.x.max())

    learner, data = Mean(), dataset()
    rows = train(learner, data, replace(PLAN, final_metrics={"largest": largest}), tmp_path)
    assert (
        [row["test_largest"] for row in rows if "test_largest" in row]
        == [data.test.x.max()]
        == [rows[-1]["test_largest"]]
    )
    assert len(seen) == 1 and np.array_equal(seen[0], learner.weight.numpy(force=True))


def test_two_learners_see_the_same_batches(tmp_path):
    learners = [Mean(), Mean()]
    for number, learner in enumerate(learners):
        train(learner, dataset(), PLAN, tmp_path / str(number))
    assert learners[0].seen == learners[1].seen and len(learners[0].seen) == 6 * 7


def test_what_a_batch_draws_depends_on_seed_epoch_and_step_alone():
    plan = replace(PLAN, make_batch=lambda x, y, rng: ((x, rng.standard_normal(3)), (y,)))
    draws = [[inputs[1].tolist() for inputs, _ in batches(plan, 2)] for _ in range(2)]
    assert draws[0] == draws[1] and draws[0][0] != draws[0][1]


def test_augmentation_depends_on_seed_epoch_and_step_alone_and_is_of_the_training_batches_alone(tmp_path):
    plan = replace(PLAN, augment=lambda x: x + 100 * backend.random().random(x.shape))
    twice = [[inputs[0] for inputs, _ in batches(plan, 2)] for _ in range(2)]
    plain = [inputs[0] for inputs, _ in batches(PLAN, 2)]
    for first, second, without in zip(*twice, plain):
        assert np.array_equal(first, second) and ((first - without) > 0).all()
    assert not np.array_equal(twice[0][0] - plain[0], twice[0][1] - plain[1])
    rows = train(Mean(), dataset(), replace(plan, lr=0.0), tmp_path)
    assert rows[0]["valid_loss"] == rows[-2]["valid_loss"] < 10


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [0.1] * 14),
        ("linear", [0.1 * (1 - step / 14) for step in range(14)]),
        ("cosine", [0.05 * (1 + np.cos(np.pi * step / 14)) for step in range(14)]),
        (lambda step, steps: min(1, (step + 1) / 5) * (steps - step), [0.1 * min(1, (n + 1) / 5) * (14 - n) for n in range(14)]),
    ],
    ids=["constant", "linear", "cosine", "a function"],
)  # fmt: skip
def test_the_learning_rate_follows_its_schedule_step_by_step(tmp_path, schedule, rates):
    learner, seen = Mean(), []
    learner.set_lr = seen.append
    train(learner, dataset(), replace(PLAN, epochs=2, schedule=schedule), tmp_path)
    np.testing.assert_allclose(seen, rates, rtol=1e-12)


def test_an_epoch_of_a_part_of_the_examples():
    plan = replace(PLAN, steps_per_epoch=3)
    seen = [
        [y.tolist() for _, (y,) in batches(plan, epoch, Split(np.zeros((50, 1)), np.arange(50)))] for epoch in (1, 2)
    ]
    assert [len(y) for epoch in seen for y in epoch] == [8] * 6
    first, second = (sum(epoch, []) for epoch in seen)
    assert len(set(first)) == 24 and set(first) != set(second)
    assert len(TrainingBatches(dataset().train, replace(plan, accumulate=2))) == 6
    assert len(TrainingBatches(dataset().train, replace(plan, steps_per_epoch=100))) == 7


class StopAfter(Callback):
    """Ctrl-C at the n-th step."""

    def __init__(self, steps):
        self.steps = steps

    def on_step(self, trainer):
        if trainer.step == self.steps:
            raise KeyboardInterrupt


@pytest.mark.parametrize("every", [None, 3])
@pytest.mark.parametrize("steps", [1, 7, 8, 20, 41, 42])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, steps, every):
    whole, stopped, resumed = Mean(), Mean(), Mean()
    plan = replace(PLAN, checkpoint_every=every)
    rows = train(whole, dataset(), plan, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(stopped, dataset(), plan, tmp_path / "stopped", [StopAfter(steps)])
    again = train(resumed, dataset(), plan, tmp_path / "stopped")
    assert resumed.bits() == whole.bits()
    saved = [0]  # the steps after which a checkpoint was written: each epoch's last, and every third since one
    for step in range(1, steps):
        if step % 7 == 0 or (every and step - saved[-1] == every):
            saved.append(step)
    assert stopped.seen[: saved[-1]] + resumed.seen == whole.seen

    def but_seconds(rows):
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    assert but_seconds(rows) == but_seconds(again)
    log = [json.loads(line) for line in (tmp_path / "stopped" / LOG).read_text().splitlines()]
    assert log == again and [row["epoch"] for row in log] == [0, 1, 2, 3, 4, 5, 6, 6]


def test_a_finished_run_can_be_trained_on(tmp_path):
    long, short = Mean(), Mean()
    train(long, dataset(), replace(PLAN, epochs=9), tmp_path / "long")
    train(Mean(), dataset(), PLAN, tmp_path / "short")
    train(short, dataset(), replace(PLAN, epochs=9), tmp_path / "short")
    assert short.bits() == long.bits()


def test_rows_hold_losses_and_metrics_of_the_right_splits(tmp_path):
    learner, data = Mean(), dataset()
    rows = train(learner, data, PLAN, tmp_path)
    assert set(rows[0]) == {"epoch", "step", "valid_loss", "valid_accuracy"}
    assert set(rows[1]) == {"epoch", "step", "train_loss", "valid_loss", "valid_accuracy", "seconds"}
    assert set(rows[-1]) == {"epoch", "step", "test_loss", "test_accuracy"}
    weight = learner.weight.numpy(force=True)
    for name, split in (("valid", data.valid), ("test", data.test)):
        expected = ((split.x - weight) ** 2).mean()
        row = rows[-2] if name == "valid" else rows[-1]
        assert row[f"{name}_loss"] == pytest.approx(expected, rel=1e-12)
        right = ((split.x * weight).argmax(axis=1) == split.y).mean()
        assert row[f"{name}_accuracy"] == pytest.approx(right, rel=1e-12)


def test_evaluation_in_batches_is_the_mean_over_the_examples():
    learner, split = Mean(), dataset(50).train
    whole, parts = (evaluate(learner, split, replace(PLAN, evaluation_batch_size=size), "x") for size in (50, 7))
    assert whole == pytest.approx(parts, rel=1e-12)


def test_accuracy_counts_positions_of_sequences_too():
    logits = np.zeros((2, 3, 4))
    logits[0, :, 1] = logits[1, :, 2] = 1
    assert accuracy((logits,), np.array([[1, 1, 0], [2, 2, 2]])) == pytest.approx(5 / 6)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_last_good_checkpoint(tmp_path):
    class Diverging(Mean):
        def loss(self, inputs, targets):
            loss = super().loss(inputs, targets)
            return loss if len(self.seen) < 16 else (loss - loss.detach() - 1).log()

    with pytest.raises(DLFSError) as error:
        train(Diverging(), dataset(), PLAN, tmp_path)
    assert "step 16 (epoch 3): the loss is nan. log made the first NaN, in forward, from float64 ()" in str(error.value)
    assert f"The last good checkpoint is of step 14: {tmp_path / CHECKPOINT}" in str(error.value)
    assert "A smaller --lr than 0.1 may help" in str(error.value)
    assert len(train(Mean(), dataset(), replace(PLAN, epochs=2), tmp_path)) == 4


# --------------------------------------------------------------------------------------------------- The files


def test_the_checkpoint_holds_the_weights_under_their_own_names(tmp_path):
    learner = Mean()
    train(learner, dataset(), PLAN, tmp_path)
    tensors = load_file(tmp_path / CHECKPOINT)
    np.testing.assert_array_equal(tensors["model.weight"], learner.weight.numpy(force=True))
    assert set(tensors) == {"model.weight", "optimizer.state.0.momentum_buffer"}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]
    write_atomically(path, "neu")
    assert path.read_text() == "neu" and os.listdir(tmp_path) == ["file"]


def test_ctrl_c_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    train(Mean(), dataset(), replace(PLAN, epochs=2), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()

    replace_file = os.replace

    def stop(source, target):
        if str(target).endswith(CHECKPOINT):
            raise KeyboardInterrupt
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        train(Mean(), dataset(), PLAN, tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    monkeypatch.undo()
    resumed, whole = Mean(), Mean()
    train(resumed, dataset(), PLAN, tmp_path)
    train(whole, dataset(), PLAN, tmp_path / "whole")
    assert resumed.bits() == whole.bits()


@pytest.mark.parametrize("damage", ["cut", "text", "foreign"])
def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path, damage):
    train(Mean(), dataset(), PLAN, tmp_path)
    path = tmp_path / CHECKPOINT
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "text":
        path.write_text("not a checkpoint")
    else:
        save_file({"weight": np.zeros(3)}, path)
    message = "no checkpoint of a training run: it holds weight" if damage == "foreign" else "Delete it to begin anew"
    with pytest.raises(DLFSError, match=message) as error:
        train(Mean(), dataset(), PLAN, tmp_path)
    assert str(path) in str(error.value)
