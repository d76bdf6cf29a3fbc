"""Mixed precision: GradScaler step by step beside PyTorch's, and training under autocast to the loss of float32."""

import inspect
import json

import numpy as np
import pytest
import torch

import framework
from dlfs.cli import main
from dlfs.levels import build_level, initial_level
from dlfs.studies import find_study
from framework import nn, optim
from framework.amp import GradScaler
from framework.trainer import Trainer
from utils.data_loaders import Dataset, Split, load
from utils.training_utils import Plan, train

BAD = {"inf": np.inf, "-inf": -np.inf, "nan": np.nan}


def twins(seed=0, shapes=((3,), (2, 2))):
    """The same parameters, SGD with momentum and scaler on both sides."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    sides = []
    for T in (framework, torch):
        params = [T.tensor(a.copy()).requires_grad_() for a in arrays]
        sides.append((T, params, T.optim.SGD(params, lr=0.1, momentum=0.9)))
    return sides


def set_grads(T, params, arrays):
    for param, array in zip(params, arrays):
        param.grad = None if array is None else T.tensor(array.copy())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("clip", [False, True], ids=["plain", "unscaled and clipped"])
@pytest.mark.parametrize("interval", [1, 3])
def test_every_step_is_pytorchs(clip, interval):
    """Forty steps, of which some overflow: the weights, the scale, and how far it is from growing."""
    rng = np.random.default_rng(interval)
    sides = twins()
    options = dict(init_scale=2.0**10, growth_factor=3.0, backoff_factor=0.25, growth_interval=interval)
    scalers = [GradScaler("cpu", **options), torch.amp.GradScaler("cpu", **options)]
    skipped = 0
    for step in range(40):
        grads = [rng.standard_normal(shape).astype(np.float32) * 100 for shape in ((3,), (2, 2))]
        if rng.random() < 0.3:
            grads[rng.integers(2)].flat[0] = list(BAD.values())[rng.integers(3)]
        if step == 7:
            grads[1] = None
        results = []
        for (T, params, optimizer), scaler in zip(sides, scalers):
            scaled = scaler.scale(T.tensor(2.0))
            set_grads(T, params, grads)
            if clip:
                scaler.unscale_(optimizer)
                T.nn.utils.clip_grad_norm_(params, 0.05)
            before = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < before
            results.append(
                (float(scaled), scaler.get_scale(), scaler.state_dict(), [p.detach().numpy().copy() for p in params])
            )
        ours, theirs = results
        assert ours[:3] == theirs[:3], step
        for a, b in zip(ours[3], theirs[3]):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())
            assert np.isfinite(a).all()
    assert skipped > 8


def test_two_optimizers_share_a_scaler():
    """Where the gradients of one overflow, it alone is left out; the scale shrinks for both."""
    found = []
    for T, (a, b), _ in twins():
        scaler = T.amp.GradScaler("cpu", init_scale=8.0)
        optimizers = [T.optim.SGD([p], lr=1.0) for p in (a, b)]
        scaler.scale(T.tensor(1.0))
        before = [p.detach().numpy().copy() for p in (a, b)]
        set_grads(T, (a, b), [np.full(3, 8, np.float32), np.full((2, 2), np.inf, np.float32)])
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        found.append([(p.detach().numpy() - q).tolist() for p, q in zip((a, b), before)] + [scaler.get_scale()])
    assert found[0] == found[1]
    assert found[0][1] == [[0, 0], [0, 0]] and found[0][2] == 4.0


def test_a_scale_beyond_float32_stays():
    for T, params, optimizer in twins():
        scaler = T.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
        scaler.scale(T.tensor(1.0))
        set_grads(T, params, [np.ones(3, np.float32), np.ones((2, 2), np.float32)])
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == 2.0**127, T.__name__
        scaler.update(16.0)
        assert scaler.get_scale() == 16.0
        scaler.update(T.tensor(4.0))
        assert scaler.get_scale() == 4.0


MISUSES = {
    "unscaled twice": lambda T, s, o, p: (s.unscale_(o), s.unscale_(o)),
    "unscaled after the step": lambda T, s, o, p: (s.step(o), s.unscale_(o)),
    "stepped twice": lambda T, s, o, p: (s.step(o), s.step(o)),
    "a closure": lambda T, s, o, p: s.step(o, closure=lambda: None),
    "no gradient": lambda T, s, o, p: (set_grads(T, p, [None, None]), s.step(o)),
    "update alone": lambda T, s, o, p: s.update(),
    "not a tensor": lambda T, s, o, p: s.scale(1.0),
    "an empty state": lambda T, s, o, p: s.load_state_dict({}),
    "growth below 1": lambda T, s, o, p: T.amp.GradScaler("cpu", growth_factor=0.5),
    "backoff above 1": lambda T, s, o, p: T.amp.GradScaler("cpu", backoff_factor=1.5),
}  # fmt: skip


@pytest.mark.parametrize("misuse", MISUSES)
def test_what_pytorch_refuses_is_refused_alike(misuse):
    kinds = []
    for T, params, optimizer in twins():
        scaler = T.amp.GradScaler("cpu")
        scaler.scale(T.tensor(1.0))
        set_grads(T, params, [np.ones(3, np.float32), np.ones((2, 2), np.float32)])
        with pytest.raises(Exception) as error:
            MISUSES[misuse](T, scaler, optimizer, params)
        kinds.append(error.type)
    assert kinds[0] is kinds[1]


def test_gradients_in_float16_are_refused_as_in_pytorch():
    for T in (framework, torch):
        p = T.ones(2, dtype=T.float16).requires_grad_()
        p.grad = T.ones(2, dtype=T.float16)
        scaler = T.amp.GradScaler("cpu")
        scaler.scale(T.tensor(1.0))
        with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
            scaler.unscale_(T.optim.SGD([p], lr=1))


def test_states_go_to_pytorch_and_back_and_a_disabled_scaler_passes_everything_on():
    ours, theirs = GradScaler("cpu", init_scale=4.0, growth_interval=2), torch.amp.GradScaler("cpu")
    theirs.load_state_dict(ours.state_dict())
    assert theirs.state_dict() == ours.state_dict()
    again = GradScaler("cpu")
    again.load_state_dict(json.loads(json.dumps(theirs.state_dict())))
    assert again.state_dict() == ours.state_dict()
    for T, params, optimizer in twins():
        scaler = T.amp.GradScaler("cpu", enabled=False)
        loss = T.tensor(3.0)
        assert scaler.scale(loss) is loss and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
        set_grads(T, params, [np.full(3, np.inf, np.float32), None])
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert not params[0].isfinite().any() and not scaler.is_enabled()


def test_its_face_is_pytorchs():
    for name in (
        "__init__",
        "scale",
        "unscale_",
        "step",
        "update",
        "get_scale",
        "set_growth_factor",
        "load_state_dict",
    ):
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (GradScaler, torch.amp.GradScaler))
        assert list(ours.parameters) == list(theirs.parameters), name
    public = {name for name in dir(torch.amp.GradScaler) if not name.startswith("_")}
    assert public == {name for name in dir(GradScaler) if not name.startswith("_")}
    scaled = GradScaler("cpu", init_scale=2.0).scale([framework.ones(2), (framework.ones(()),)])
    assert type(scaled) is list and scaled[0].tolist() == [2.0, 2.0] and scaled[1][0].item() == 2.0


# --- training ---------------------------------------------------------------------------------------------------------


def test_small_gradients_survive_and_an_overflow_is_passed_over():
    """A loss whose gradient in float16 is 0 without a scale, and infinite with too large a one."""

    def trained(scaler, steps=12):
        w = framework.tensor([1.0]).requires_grad_()
        optimizer = optim.SGD([w], lr=1e7)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (w.half() * 1e-4).float().sum() * 1e-4  # the product's gradient, 1e-8, is below what float16 holds
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return w.item()

    assert trained(GradScaler("cpu", enabled=False)) == pytest.approx(1.0, abs=1e-6)
    assert trained(GradScaler("cpu", init_scale=2.0**10)) == pytest.approx(1 - 12 * 0.1, rel=1e-2)
    huge = GradScaler("cpu", init_scale=2.0**40)  # of the first steps the gradient, 1e-4 · 2⁴⁰, is infinite
    value = trained(huge, steps=30)
    taken = round((1 - value) / 0.1)
    assert huge.get_scale() == 2.0 ** (40 - (30 - taken)) and 0 < taken < 25
    assert value == pytest.approx(1 - taken * 0.1, rel=1e-2)


def test_a_run_with_a_scaler_resumes_to_the_same_bits(tmp_path):
    def trainer(folder):
        framework.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
        x = framework.randn(48, 6)
        batches = [(x[i : i + 8], (x[i : i + 8].sum(1) > 0).long()) for i in range(0, 48, 8)]

        def loss(model, x, y):
            with framework.autocast("cpu", dtype=framework.float16):
                return nn.functional.cross_entropy(model(x), y)

        return Trainer(
            model,
            optim.Adam(model.parameters(), lr=0.01),
            batches,
            loss=loss,
            scaler=GradScaler("cpu", growth_interval=2, init_scale=2.0**18),
            clip=1.0,
            callbacks=[],
            folder=folder,
            checkpoint_every=1,
        )

    whole = trainer(tmp_path / "whole")
    rows = whole.fit(epochs=4)
    part = trainer(tmp_path / "part")
    part.fit(steps=5)
    resumed = trainer(tmp_path / "part")
    resumed.fit(epochs=4, resume=True)
    assert resumed.scaler.state_dict() == whole.scaler.state_dict()
    for a, b in zip(resumed.model.parameters(), whole.model.parameters()):
        assert a.array.tobytes() == b.array.tobytes()
    assert rows[-1]["train_loss"] < 0.6


def trained(number, config, half, plan, data, folder):
    study = find_study(number)
    level = build_level(study, "engine", config)
    level.load_state(initial_level(study, config, seed=0).state())
    if half:
        level.speed_up(fp16=True)
    rows = train(level, data, plan, folder)
    return level, rows


@pytest.mark.parametrize("number", ["03", "09"])
def test_training_in_half_precision_reaches_the_loss_of_float32(tmp_path, number):
    """LeNet and a small GPT: the curves lie within the noise that another order of the batches makes; the weights stay float32."""
    study = find_study(number)
    if number == "03":
        config, recipe = study.facts.LeNetConfig("dense", "average", "softmax"), study.recipe("digits")[1]
        data = study.examples(recipe, load("digits"))
        data = Dataset("digits", Split(data.train.x[:256], data.train.y[:256]), data.valid, data.test)
        plan = Plan(4, 32, 2e-3, make_batch=lambda x, y, rng: study.facts.training_batch(config, x, y, rng), metrics={})
    else:
        config = study.facts.GPTConfig(vocab_size=97, block_size=16, n_layer=1, n_head=2, n_embd=32)
        recipe = study.recipe("pydoc")[1] | {"config": config}
        data = study.examples(recipe, load("pydoc"))
        short = Split(data.valid.x[:200], data.valid.y[:200])
        data = Dataset("pydoc", Split(data.train.x, data.train.y), short, short)
        plan = Plan(1, 16, 3e-3, "adamw", steps_per_epoch=60, metrics={})
    finals, products = {}, set()
    for half in (False, True):
        level, rows = trained(number, config, half, plan, data, tmp_path / str(half))
        finals[half] = rows[-2]["train_loss"], rows[-1]["test_loss"]
        assert {str(p.dtype) for p in level.parameters().values()} == {"float32"}
        with level.precision():
            products.add(str((framework.ones(2, 2) @ framework.ones(2, 2)).dtype))
    assert products == {"float32", "float16"} and finals[True] != finals[False]
    assert level.scaler.get_scale() >= 2.0**10
    start = rows[0]["valid_loss"]
    for plain, half in zip(finals[False], finals[True]):
        assert plain < 0.9 * start and abs(half - plain) < 0.1 * (start - plain), (finals, start)


def test_the_command_trains_in_float16_and_refuses_what_has_none(tmp_path, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as exit_:
            main(["train", "02", "--epochs", "1", *words])
        return exit_.value.code, capsys.readouterr().err

    losses = {}
    for level in ("engine", "lowlevel", "paper"):
        folder = tmp_path / level
        assert run("--level", level, "--fp16", "--save-dir", str(folder))[0] == 0
        rows = [json.loads(line) for line in (folder / level / "log.jsonl").read_text().splitlines()]
        losses[level] = rows[1]["train_loss"]
        assert json.loads((folder / "run.json").read_text())["command"].endswith("--fp16")
    assert losses["engine"] == pytest.approx(losses["paper"], rel=2e-3) == pytest.approx(losses["lowlevel"], rel=2e-3)
    code, error = run("--fp16", "--save-dir", str(tmp_path / "all"))
    assert code == 2 and "by-hand has no --fp16: give --level engine" in error
    code, error = run("--level", "paper", "--fp16", "--bf16", "--save-dir", str(tmp_path / "both"))
    assert code == 2 and "not both" in error and not (tmp_path / "both").exists()
