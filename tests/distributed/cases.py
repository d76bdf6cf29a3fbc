"""What two processes do, and what one does alone: run by test_distributed.py itself, and by torchrun as worker.py."""

from dataclasses import replace

import numpy as np

import framework
from dlfs.levels import build_level, initial_level
from dlfs.studies import find_study
from framework import distributed, nn, optim
from framework.data import DataLoader, DistributedSampler, TensorDataset
from framework.trainer import Trainer
from utils.data_loaders import Dataset, Split, load
from utils.training_utils import Plan, train

LEVELS = [(number, level) for number in ("02", "06") for level in ("by-hand", "engine", "lowlevel", "paper")]
# steps of one batch in two parts, of 7 and 4 examples; of 7 examples and of one, fewer than there are processes
PLANS = {"two parts": (11, 2), "one example": (8, 1)}


def plan_of(number, examples, accumulate):
    """A plan in float64, and a data set of so many examples."""
    study = find_study(number)
    name, recipe = study.recipe(None)
    rng = np.random.default_rng(0)
    if number == "02":
        config, x, y = recipe["config"], rng.standard_normal((examples, 64)), rng.integers(0, 10, examples)
        make = lambda x, y, rng: ((x + 0.1 * rng.standard_normal(x.shape),), (y,))
        split = Split(x, y)
    else:
        data = study.examples(recipe, load(recipe["data"]))
        config = recipe["config"]
        split = Split(data.train.x[:examples], data.train.y[:examples])

        def make(x, y, rng):
            batch = study.facts.training_batch(config, x, y, rng)
            return tuple(tuple(a.astype(np.float64) if a.dtype.kind == "f" else a for a in part) for part in batch)

    plan = Plan(2, 7, 0.1, "sgd", {"momentum": 0.9}, make_batch=make, metrics={}, accumulate=accumulate)
    return study, config, replace(plan, evaluation_batch_size=3), Dataset("some", split, split, split)


def trained(number, name, examples, accumulate, folder):
    """{name: array} of the weights, the last gradients and the log of a training."""
    study, config, plan, data = plan_of(number, examples, accumulate)
    level = build_level(study, name, config, dtype="float64")
    start = initial_level(study, config, seed=0).state()
    level.load_state({key: array.astype(np.float64) for key, array in start.items()})
    if distributed.world().size > 1:
        level.distribute()
    rows = train(level, data, plan, folder)
    parameters = level.tensors if name == "by-hand" else level.parameters()
    found = {f"weight {key}": np.array(array) for key, array in level.state().items()}
    found |= {f"gradient {key}": np.asarray(value.grad.numpy()) for key, value in parameters.items()}
    for number, row in enumerate(rows):
        found |= {f"row {number} {key}": np.array(value) for key, value in row.items() if key != "seconds"}
    return found


# --- DistributedDataParallel: one program, for both libraries ---------------------------------------------------------


def ddp_story(T, rank):
    """A model with buffers, accumulation without averaging in between, and a parameter that takes no part."""
    numbers = np.random.default_rng(3)
    tensor = lambda *shape: T.from_numpy(numbers.standard_normal(shape))

    class Net(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.last = T.nn.Linear(5, 6), T.nn.BatchNorm1d(6), T.nn.Linear(6, 2)

        def forward(self, x, skip=False):
            h = self.norm(T.tanh(self.first(x)))
            return h if skip else self.last(h)

    net = Net().double()
    with T.no_grad():
        for p in net.parameters():
            p.copy_(tensor(*p.shape) + rank)  # each process's own: the first one's are to hold
        net.norm.running_mean += rank
    ddp = T.nn.parallel.DistributedDataParallel(net)
    optimizer = T.optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        x = tensor(8, 5)[4 * rank : 4 * rank + 4]
        optimizer.zero_grad()
        with ddp.no_sync():
            ddp(x[:2]).square().mean().backward()
        ddp(x[2:]).square().mean().backward()
        optimizer.step()
    found = {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}
    found |= {f"gradient {name}": p.grad.numpy().copy() for name, p in net.named_parameters()}
    ddp.eval()
    with T.no_grad():
        found["evaluated"] = ddp(tensor(3, 5)).numpy().copy()
    ddp.train()
    ddp(tensor(4, 5), skip=True).sum().backward()
    try:
        ddp(tensor(4, 5))
    except RuntimeError as error:
        found["refused"] = np.array("finished reduction" in str(error))
    return found


# --- the trainer, by itself -------------------------------------------------------------------------------------------


def noisy_trainer(folder, **options):
    """Each process with its examples and its noise, drawn from the engine's generator."""
    world = distributed.world()
    framework.manual_seed(0)
    x = framework.randn(44, 6)
    data = TensorDataset(x, (x.sum(dim=1) > 0).long())
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
    sampler = DistributedSampler(data, world.size, world.rank)
    loader = DataLoader(data, batch_size=4, sampler=sampler)
    framework.manual_seed(world.rank)
    return Trainer(
        model,
        optim.AdamW(model.parameters(), lr=0.01),
        loader,
        loss=lambda model, x, y: nn.functional.cross_entropy(model(x), y),
        valid=[(x[world.rank :: world.size], data.tensors[1][world.rank :: world.size])],
        metrics={"accuracy": lambda model, x, y: (model(x).argmax(1) == y).float().mean().item()},
        accumulate=2,
        clip=0.5,
        ema=0.9,
        folder=folder,
        callbacks=[],
        **options,
    )
