"""Killed for real: a program that trains is sent SIGKILL at twenty random moments, and ends with the bits of one left alone."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

from dlfs.studies import ROOT
from framework import checkpoint
from framework.trainer import CHECKPOINT

PROGRAM = """
import sys
import numpy as np
import framework
from framework import nn, optim
from framework.data import DataLoader, TensorDataset
from framework.optim import lr_scheduler
from framework.trainer import Trainer

print("ready", flush=True)
for line in sys.stdin:  # each line a folder to train in; so the imports are paid for before the clock runs
    framework.manual_seed(0), np.random.seed(0)
    x = framework.randn(180, 20)
    y = (x[:, :10].sum(dim=1) > x[:, 10:].sum(dim=1)).long()
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 2))

    def loss(model, x, y):
        return nn.functional.cross_entropy(model(x + 0.1 * framework.tensor(np.random.rand(20)).float()), y)

    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    trainer = Trainer(
        model,
        optimizer,
        DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True),
        loss=loss,
        valid=[(x[:20], y[:20])],
        scheduler=lr_scheduler.CosineAnnealingLR(optimizer, 12),
        accumulate=2,
        clip=1.0,
        ema=0.9,
        callbacks=[],
        folder=line.strip(),
        checkpoint_every=1,
    )
    trainer.fit(epochs=12, resume=True)
    framework.save({"model": model.state_dict(), "ema": trainer.result()}, line.strip() + "/weights.safetensors")
    print("done", flush=True)
    break
"""


class Training:
    """One life of the program."""

    def __init__(self):
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment = {**os.environ, **threads, "PYTHONPATH": str(ROOT)}
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, **pipes)

    def start(self, folder):
        assert self.process.stdout.readline() == "ready\n"
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()

    def finish(self):
        out, _ = self.process.communicate()
        assert self.process.returncode == 0 and out == "done\n"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        out, _ = self.process.communicate()
        return out != "done\n"  # whether it was still running


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_twenty_kills_change_no_bit(tmp_path):
    began = time.monotonic()
    alone = Training()
    alone.start(tmp_path / "alone")
    started = time.monotonic()
    alone.finish()
    duration = time.monotonic() - started

    kills = during_writing = 0
    folders, steps = [], []
    life = Training()
    while kills < 20:  # one run after the other; as a rule the first is still going at the twentieth kill
        folders.append(tmp_path / f"killed{len(folders)}")
        is_killed = True
        while is_killed and kills < 20:
            after = Training()  # gets ready while this one trains
            life.start(folders[-1])
            time.sleep(random.uniform(0, duration / 12))
            is_killed = life.kill()
            life = after
            if is_killed:
                kills += 1
                during_writing += any(folders[-1].glob(".*.tmp"))
                if (folders[-1] / CHECKPOINT).exists():
                    steps.append(checkpoint.read(folders[-1] / CHECKPOINT)["step"])  # whole, whenever the kill came
    life.start(folders[-1])
    life.finish()
    took = time.monotonic() - began
    print(f"killed after steps {steps}, {during_writing} times while a file was written; {took:.1f} s in all")
    assert max(steps) > 0
    weights = load_file(tmp_path / "alone" / "weights.safetensors")
    assert len(weights) == 2 * 9
    for folder in folders:
        for name, array in load_file(folder / "weights.safetensors").items():
            assert array.tobytes() == weights[name].tobytes(), name
        assert not list(folder.glob(".*.tmp"))
