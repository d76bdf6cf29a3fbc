"""The learning-rate schedules against PyTorch's over 200 steps: rates, momenta, states, and the ways to resume."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch

from framework import optim
from framework.tensor import Tensor

ours, theirs = optim, torch.optim


class Halving:
    """A callable object, whose attributes a state keeps."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 0.5 ** (epoch // 10)


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "LambdaLR-per-group": lambda s, o: s.LambdaLR(o, [lambda epoch: 1 / (1 + epoch), Halving()]),
    "StepLR": lambda s, o: s.StepLR(o, 7),
    "StepLR-gamma": lambda s, o: s.StepLR(o, step_size=1, gamma=0.97),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [30, 5, 30, 80], gamma=0.5),
    "LinearLR": lambda s, o: s.LinearLR(o),
    "LinearLR-down": lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.01, total_iters=150),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.98),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 40),
    "CosineAnnealingLR-eta_min": lambda s, o: s.CosineAnnealingLR(o, T_max=17, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 10),
    "CosineAnnealingWarmRestarts-T_mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, T_mult=2, eta_min=0.003),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.7, total_steps=210),
    "OneCycleLR-three-phase": lambda s, o: s.OneCycleLR(
        o, [0.7, 0.2], epochs=21, steps_per_epoch=10, pct_start=0.4, anneal_strategy="linear", three_phase=True
    ),
    "OneCycleLR-no-momentum": lambda s, o: s.OneCycleLR(
        o, 0.7, 200, cycle_momentum=False, div_factor=10, final_div_factor=50
    ),
    "OneCycleLR-momenta": lambda s, o: s.OneCycleLR(o, 0.7, 205, base_momentum=[0.7, 0.6], max_momentum=0.99),
    "ConstantLR": lambda s, o: s.ConstantLR(o),
    "ConstantLR-factor": lambda s, o: s.ConstantLR(o, factor=0.7, total_iters=40),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, total_iters=150),
    "PolynomialLR-power": lambda s, o: s.PolynomialLR(o, 90, power=2.5),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=20),
    "CyclicLR-halved": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.3, 10, 30, mode="triangular2", base_momentum=0.6),
    "CyclicLR-exponential": lambda s, o: s.CyclicLR(
        o, 0.01, 0.2, 16, mode="exp_range", gamma=0.99, cycle_momentum=False
    ),
    "CyclicLR-function": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 16, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "SequentialLR-chained": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.5, 3), s.PolynomialLR(o, 100)], milestones=[10]
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=20), s.CosineAnnealingLR(o, 100), s.ExponentialLR(o, 0.9)], [20, 120]
    ),
    "SequentialLR-step": lambda s, o: s.SequentialLR(o, [s.ExponentialLR(o, 0.9), s.StepLR(o, 5, 0.5)], milestones=[6]),
    "SequentialLR-lambda": lambda s, o: s.SequentialLR(
        o, [s.LambdaLR(o, lambda e: 0.9**e), s.MultiStepLR(o, [10, 20])], milestones=[8]
    ),
    "SequentialLR-restarts": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1), s.CosineAnnealingWarmRestarts(o, 9)], milestones=[5]
    ),
    "SequentialLR-nested": lambda s, o: s.SequentialLR(
        o, [s.SequentialLR(o, [s.LinearLR(o), s.ExponentialLR(o, 0.9)], [5]), s.StepLR(o, 3)], milestones=[50]
    ),
}


def optimizer(module, name="SGD"):
    params = [
        Tensor(np.zeros(2), True) if module is ours else torch.zeros(2, requires_grad=True, dtype=torch.float64)
        for _ in range(2)
    ]
    options = dict(momentum=0.5) if name == "SGD" else {}
    return getattr(module, name)([{"params": params[:1]}, {"params": params[1:], "lr": 0.02}], lr=0.3, **options)


def options_of(opt):
    keys = ("lr", "momentum", "betas", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum")
    return [{key: group[key] for key in keys if key in group} for group in opt.param_groups]


def assert_alike(a, b):
    """The same option values, to 1e-14 of their size (the order of a product may differ)."""
    for mine, other in zip(options_of(a), options_of(b), strict=True):
        assert mine.keys() == other.keys()
        for key in mine:
            assert mine[key] == pytest.approx(other[key], rel=1e-14, abs=1e-17), key


@pytest.mark.filterwarnings("ignore:.*before .?optimizer.step")  # both warn where a SequentialLR holds another
@pytest.mark.parametrize("algorithm", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_two_hundred_steps_equal_pytorch(name, algorithm):
    a, b = optimizer(ours, algorithm), optimizer(theirs, algorithm)
    x, y = SCHEDULES[name](ours.lr_scheduler, a), SCHEDULES[name](theirs.lr_scheduler, b)
    assert_alike(a, b)
    for _ in range(200):
        a.step()
        b.step()
        x.step()
        y.step()
        assert_alike(a, b)
        assert x.get_last_lr() == [group["lr"] for group in a.param_groups]
        assert x.get_last_lr() == pytest.approx(y.get_last_lr(), rel=1e-14, abs=1e-17)
        assert x.last_epoch == y.last_epoch


@pytest.mark.parametrize("name", [name for name in SCHEDULES if not name.startswith(("OneCycle", "Sequential"))])
def test_a_rate_changed_by_hand_lasts_as_in_pytorch(name):
    a, b = optimizer(ours), optimizer(theirs)
    x, y = SCHEDULES[name](ours.lr_scheduler, a), SCHEDULES[name](theirs.lr_scheduler, b)
    for step in range(60):
        a.step()
        b.step()
        if step == 11:
            a.param_groups[1]["lr"] = b.param_groups[1]["lr"] = 0.123
        x.step()
        y.step()
        assert_alike(a, b)


def test_schedules_are_chained():
    a, b = optimizer(ours), optimizer(theirs)
    xs, ys = (
        [s.LinearLR(o, 0.2, total_iters=30), s.ExponentialLR(o, 0.99), s.MultiStepLR(o, [100, 150])]
        for s, o in ((ours.lr_scheduler, a), (theirs.lr_scheduler, b))
    )
    for _ in range(200):
        a.step()
        b.step()
        for x, y in zip(xs, ys, strict=True):
            x.step()
            y.step()
            assert x.get_last_lr() == pytest.approx(y.get_last_lr(), rel=1e-14)
    assert_alike(a, b)


@pytest.mark.filterwarnings("ignore:The epoch parameter")  # PyTorch deprecates it
@pytest.mark.parametrize("name", [name for name in SCHEDULES if not name.startswith(("OneCycle", "Sequential"))])
def test_any_epoch_in_closed_form(name):
    a, b = optimizer(ours), optimizer(theirs)
    x, y = SCHEDULES[name](ours.lr_scheduler, a), SCHEDULES[name](theirs.lr_scheduler, b)
    a.step()
    b.step()
    for epoch in (5, 1, 30, 200, 0, 77):
        x.step(epoch)
        y.step(epoch)
        assert_alike(a, b)
        assert x.last_epoch == epoch


def test_warm_restarts_take_fractions_of_an_epoch():
    a, b = optimizer(ours), optimizer(theirs)
    x = ours.lr_scheduler.CosineAnnealingWarmRestarts(a, 3, 2)
    y = theirs.lr_scheduler.CosineAnnealingWarmRestarts(b, 3, 2)
    a.step()
    b.step()
    for i in range(200):
        x.step(i / 7)
        y.step(i / 7)
        assert_alike(a, b)


def test_warm_restarts_restart_exactly():
    """At the start of the sixth cycle, epoch 1 + 3 + 9 + 27 + 81 = 121, a rounded logarithm would miss the restart."""
    a = optimizer(ours)
    scheduler = ours.lr_scheduler.CosineAnnealingWarmRestarts(a, 1, 3)
    a.step()
    scheduler.step(121)
    assert scheduler.get_last_lr() == [0.3, 0.02] and scheduler.T_i == 243


@pytest.mark.filterwarnings("ignore:.*before .?optimizer.step")
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("source", ["ours", "PyTorch's"])
def test_a_saved_state_resumes(name, source):
    """After 37 steps both states go into new objects of ours, from ours and from PyTorch's; they continue as PyTorch does."""
    a, b = optimizer(ours), optimizer(theirs)
    x, y = SCHEDULES[name](ours.lr_scheduler, a), SCHEDULES[name](theirs.lr_scheduler, b)
    for _ in range(37):
        a.step()
        b.step()
        x.step()
        y.step()
    states = (a, x) if source == "ours" else (b, y)
    saved_optimizer, saved_scheduler = (copy.deepcopy(part.state_dict()) for part in states)
    a = optimizer(ours)
    x = SCHEDULES[name](ours.lr_scheduler, a)
    a.load_state_dict(saved_optimizer)
    x.load_state_dict(saved_scheduler)
    assert x.get_last_lr() == pytest.approx(y.get_last_lr(), rel=1e-14)
    with warnings.catch_warnings(record=True) as caught:
        for _ in range(100):
            b.step()
            x.step()
            y.step()
            assert_alike(a, b)
    assert not caught  # in particular not that the optimizer has made no step yet


@pytest.mark.parametrize("name", [name for name in SCHEDULES if "Sequential" not in name])
def test_last_epoch_resumes_as_in_pytorch(name):
    """Each schedule made again with last_epoch: its first rate, which the constructor sets, and the following ones."""
    results = []
    for module in (ours, theirs):
        first = optimizer(module)
        scheduler = SCHEDULES[name](module.lr_scheduler, first)
        for _ in range(15):
            first.step()
            scheduler.step()
        second = optimizer(module)
        second.load_state_dict(first.state_dict())

        class Resumed:
            """lr_scheduler, with last_epoch given to every schedule."""

            def __init__(self, schedulers):
                self.schedulers = schedulers

            def __getattr__(self, schedule):
                return lambda *args, **options: getattr(self.schedulers, schedule)(*args, **options, last_epoch=15)

        scheduler = SCHEDULES[name](Resumed(module.lr_scheduler), second)
        rates = [scheduler.get_last_lr()]
        for _ in range(20):
            second.step()
            scheduler.step()
            rates.append(scheduler.get_last_lr())
        results.append(rates)
    np.testing.assert_allclose(*results, rtol=1e-13, atol=1e-17)


PLATEAUS = [
    {},
    dict(mode="max", patience=3),
    dict(factor=0.5, patience=2, threshold=0.05, cooldown=4),
    dict(factor=0.5, patience=1, threshold=0.05, threshold_mode="abs"),
    dict(mode="max", factor=0.5, patience=1, threshold=0.05, threshold_mode="abs", min_lr=0.01),
    dict(factor=0.3, patience=0, min_lr=[0.1, 0.001], eps=1e-3),
]


@pytest.mark.parametrize("options", PLATEAUS)
def test_reduce_on_plateau_equals_pytorch(options):
    rng = np.random.default_rng(0)
    metrics = np.concatenate([1 / (1 + np.arange(60)), 0.02 + 0.05 * rng.random(139), [math.nan]])
    a, b = optimizer(ours), optimizer(theirs)
    x = ours.lr_scheduler.ReduceLROnPlateau(a, **options)
    y = theirs.lr_scheduler.ReduceLROnPlateau(b, **options)
    for i, metric in enumerate(metrics):
        x.step(Tensor(np.array(metric)) if i % 2 else metric)
        y.step(metric)
        assert x.get_last_lr() == y.get_last_lr()
        assert (x.best, x.num_bad_epochs, x.cooldown_counter) == (y.best, y.num_bad_epochs, y.cooldown_counter)
        if i == 100:
            saved = copy.deepcopy(y.state_dict())
            x = ours.lr_scheduler.ReduceLROnPlateau(a)
            x.load_state_dict(saved)
    assert a.param_groups[0]["lr"] < 0.3


def test_reduce_on_plateau_with_a_group_added_later():
    a = optimizer(ours)
    one, each = (ours.lr_scheduler.ReduceLROnPlateau(a, patience=0, min_lr=low) for low in (0.001, [0.001, 0.002]))
    a.add_param_group({"params": [Tensor(np.zeros(1), True)], "lr": 0.005})
    one.step(1.0)
    one.step(2.0)
    assert one.get_last_lr() == pytest.approx([0.03, 0.002, 0.001])
    each.step(1.0)
    with pytest.raises(RuntimeError, match="min_lr was given for 2 parameter groups, the optimizer now has 3"):
        each.step(2.0)


def test_noam_is_the_papers_formula():
    a = optimizer(ours)
    scheduler = ours.lr_scheduler.NoamLR(a, d_model=512, warmup_steps=50)
    for step in range(1, 201):
        expected = 512**-0.5 * min(step**-0.5, step * 50**-1.5)
        assert scheduler.get_last_lr() == pytest.approx([0.3 * expected, 0.02 * expected], rel=1e-14)
        a.step()
        scheduler.step()
    lambda_lr = torch.optim.lr_scheduler.LambdaLR(
        opt := optimizer(theirs), lambda n: 512**-0.5 * min((n + 1) ** -0.5, (n + 1) * 50**-1.5)
    )
    for _ in range(200):
        opt.step()
        lambda_lr.step()
    assert scheduler.get_last_lr() == pytest.approx(lambda_lr.get_last_lr(), rel=1e-14)
    saved = scheduler.state_dict()
    again = ours.lr_scheduler.NoamLR(optimizer(ours), d_model=1)
    again.load_state_dict(saved)
    again.step()
    assert again.get_last_lr()[0] == pytest.approx(0.3 * (512 * 202) ** -0.5, rel=1e-14)


def test_a_scheduler_stepped_first_warns():
    a = optimizer(ours)
    scheduler = ours.lr_scheduler.StepLR(a, 5)
    with pytest.warns(UserWarning, match=r"StepLR.step\(\) was called before optimizer.step\(\)"):
        scheduler.step()
    a = optimizer(ours)
    scheduler = ours.lr_scheduler.StepLR(a, 5)
    a.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


S = ours.lr_scheduler


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda o: S.StepLR("sgd", 3), TypeError, "StepLR: optimizer must be an Optimizer, got str"),
        (lambda o: S.OneCycleLR(None, 0.1, 10), TypeError, "OneCycleLR: optimizer must be"),
        (lambda o: S.ReduceLROnPlateau(None), TypeError, "ReduceLROnPlateau: optimizer must be"),
        (lambda o: S.StepLR(o, 3, last_epoch=4), KeyError, "parameter group 0 has no 'initial_lr'"),
        (lambda o: S.LambdaLR(o, [abs]), ValueError, "lr_lambda has 1 values for 2 parameter groups"),
        (lambda o: S.LinearLR(o, start_factor=0), ValueError, "start_factor"),
        (lambda o: S.LinearLR(o, end_factor=1.5), ValueError, "end_factor"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 3, 1.5), ValueError, "T_mult"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 3).step(-1), ValueError, "epoch must be at least 0"),
        (lambda o: S.OneCycleLR(o, 0.1), ValueError, "give total_steps, or epochs and steps_per_epoch"),
        (lambda o: S.OneCycleLR(o, 0.1, 2.5), ValueError, "total_steps"),
        (lambda o: S.OneCycleLR(o, 0.1, 10, pct_start=2), ValueError, "pct_start"),
        (lambda o: S.OneCycleLR(o, 0.1, 10, anneal_strategy="exp"), ValueError, "anneal_strategy"),
        (lambda o: S.OneCycleLR(o, [0.1], 10), ValueError, "max_lr has 1 values for 2 parameter groups"),
        (lambda o: S.NoamLR(o, 0), ValueError, "NoamLR"),
        (lambda o: S.SequentialLR(o, [], []), ValueError, "one milestone fewer"),
        (lambda o: S.SequentialLR(o, [S.StepLR(o, 3)], [4]), ValueError, "one milestone fewer"),
        (lambda o: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []), ValueError, "ReduceLROnPlateau"),
        (lambda o: S.SequentialLR(o, [3], []), TypeError, "scheduler 0 is a int"),
        (lambda o: S.SequentialLR(o, [S.StepLR(optimizer(ours), 3)], []), ValueError, "belongs to another optimizer"),
        (lambda o: S.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor"),
        (lambda o: S.ReduceLROnPlateau(o, mode="low"), ValueError, "mode"),
        (lambda o: S.ReduceLROnPlateau(o, threshold_mode="low"), ValueError, "threshold_mode"),
        (lambda o: S.StepLR(o, 3).load_state_dict(S.ExponentialLR(o, 0.9).state_dict()), ValueError, "lacks step_size"),
    ],
)
def test_what_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        build(optimizer(ours))


def test_one_cycle_without_a_momentum_to_cycle():
    w = [Tensor(np.zeros(1), True)]
    with pytest.raises(ValueError, match="Adagrad has neither momentum nor betas; pass cycle_momentum=False"):
        S.OneCycleLR(ours.Adagrad(w), 0.1, 10)
    a = ours.SGD(w, lr=0.1)
    scheduler = S.OneCycleLR(a, 0.1, 3)
    a.step()
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="step 4 of a cycle of 3 steps"):
        scheduler.step()


def test_a_chained_scheduler_steps_all_of_them():
    made = []
    for module in (ours, theirs):
        opt, s = optimizer(module), module.lr_scheduler
        made.append((opt, s.ChainedScheduler([s.ConstantLR(opt, 0.1, 20), s.ExponentialLR(opt, 0.95)], optimizer=opt)))
    (a, x), (b, y) = made
    for step in range(60):
        a.step()
        b.step()
        x.step()
        y.step()
        assert_alike(a, b)
        assert x.get_last_lr() == pytest.approx(y.get_last_lr(), rel=1e-14)
        if step == 30:
            x.load_state_dict(copy.deepcopy(y.state_dict()))
    with pytest.raises(ValueError, match="another optimizer"):
        ours.lr_scheduler.ChainedScheduler([ours.lr_scheduler.ExponentialLR(a, 0.9)], optimizer(ours))
    with pytest.raises(ValueError, match="metric"):
        ours.lr_scheduler.ChainedScheduler([ours.lr_scheduler.ReduceLROnPlateau(a)])
