"""One of the processes that torchrun starts for test_distributed.py: writes what it found to OUT/rank.npz."""

import sys
from pathlib import Path

import numpy as np
import torch

import framework
from dlfs.cli import main
from framework import distributed
from framework.callbacks import Callback
from framework.torch_names import torch_import
from tests.distributed import cases


def collectives(world):
    mine = framework.full((2, 3), float(world.rank + 1), dtype=framework.float64)
    distributed.all_reduce(mine)
    given = framework.full((2,), float(world.rank + 5))
    distributed.broadcast(given, src=1)
    objects = [None, None]
    distributed.all_gather_object(objects, {"rank": world.rank})
    distributed.barrier()
    assert objects == [{"rank": 0}, {"rank": 1}]
    assert (distributed.get_rank(), distributed.get_world_size()) == (world.rank, 2)
    assert world.sum([world.rank, 0.5]) == [1.0, 1.0] and world.first(world.rank) == 0
    return {"reduced": mine.numpy(), "broadcast": given.numpy()}


def overlap(T):
    """The order of events in a backward: when a parameter's gradient came, and when a bucket was sent."""
    events, real = [], torch.distributed.all_reduce
    layers = [T.nn.Linear(4, 4) for _ in range(4)]
    parameters = [p for layer in layers for p in layer.parameters()]
    reducer = distributed.Reducer(parameters, bucket_bytes=80, first_bucket_bytes=80)
    for number, p in enumerate(parameters):
        p.register_post_accumulate_grad_hook(lambda p, number=number: events.append(number))

    def recorded(*args, **options):
        events.append(-1)
        return real(*args, **options)

    torch.distributed.all_reduce = recorded
    try:
        x = T.ones(2, 4)
        for layer in layers:
            x = layer(x).tanh()
        x.sum().backward()
        during = list(events)
        reducer.finish()
    finally:
        torch.distributed.all_reduce = real
    assert events == during, "something was left for finish() to send"
    return np.array(events)


def missing(T, world):
    """Of three parameters one has a gradient in the second process alone, one in none."""
    a, b, c = (T.ones(2).requires_grad_() for _ in range(3))
    reducer = distributed.Reducer([a, b, c])
    loss = (a * (world.rank + 1)).sum() + ((b * 4).sum() if world.rank else 0)
    loss.backward()
    reducer.finish()
    assert c.grad is None
    return np.stack([a.grad.numpy(), b.grad.numpy()])


class NaNAt(Callback):
    """The weights of the second process alone are spoilt."""

    def on_step(self, trainer):
        if trainer.step == 1 and trainer.world.rank == 1:
            trainer.parameters[0].detach().fill_(float("nan"))


def main_of_a_rank(out):
    found = {}
    with distributed.launched() as world:
        for key, value in collectives(world).items():
            found[f"collectives {key}"] = value
        names = torch_import("torch", ())
        for library, T in (("engine", names), ("torch", torch)):
            found[f"overlap {library}"] = overlap(T)
            found[f"missing {library}"] = missing(T, world)
            for key, value in cases.ddp_story(T, world.rank).items():
                found[f"ddp {library} {key}"] = value
        for number, level in cases.LEVELS:
            for plan, (examples, accumulate) in cases.PLANS.items():
                folder = out / f"{number} {level} {plan}"
                for key, value in cases.trained(number, level, examples, accumulate, folder).items():
                    found[f"{number} {level} {plan} {key}"] = value

        whole = cases.noisy_trainer(out / "whole", checkpoint_every=1)
        whole.fit(epochs=3)
        part = cases.noisy_trainer(out / "part", checkpoint_every=1)
        part.fit(steps=4)
        resumed = cases.noisy_trainer(out / "part", checkpoint_every="0.001s")
        rows = resumed.fit(epochs=3, resume=True)
        for key, value in resumed.result().items():
            found[f"resumed {key}"] = value.numpy()
            found[f"whole {key}"] = whole.result()[key].numpy()
        found["rows"] = np.array([[row["train_loss"], row["valid_loss"], row["valid_accuracy"]] for row in rows[1:]])
        found["noise"] = framework.rand(3).numpy()

        spoilt = cases.noisy_trainer(None)
        spoilt.callbacks = [NaNAt()]
        try:
            spoilt.fit(epochs=1)
        except ArithmeticError as error:
            found["spoilt"] = np.array(str(error))
        try:
            main(["train", "02", "--level", "engine", *sys.argv[2:], "--save-dir", str(out / "command")])
        except SystemExit as exit_:
            found["exit"] = np.array(exit_.code)
    np.savez(out / f"{world.rank}.npz", **found)


if __name__ == "__main__":
    main_of_a_rank(Path(sys.argv[1]))
