"""Talking to a side's process: see peers/worker.py for what is said."""

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from . import protocol
from .peers import python_of

WORKER = Path(__file__).parent / "peers" / "worker.py"


class Failed(Exception):
    """A side that cannot take part; the message says why."""


class Process:
    """A side on one workload, started and perhaps not ready yet."""

    def __init__(self, peer, path, threads, folder, device="cpu"):
        self.peer, self.started = peer, time.monotonic()
        environment = protocol.environment(threads) | {"PYTHONUNBUFFERED": "1"}
        environment.pop("PYTHONPATH", None)
        self.errors = tempfile.TemporaryFile()
        command = [str(python_of(peer, folder)), "-P", str(WORKER), peer, str(path), str(threads), device]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment, text=True
        )
        self.answers = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def answer(self, limit):
        """The next answer; Failed where there is none within the limit in seconds, or where it says that something is missing."""
        try:
            line = self.answers.get(timeout=max(limit, 0.001))
        except queue.Empty:
            raise Failed(f"no answer in {limit:.0f} s") from None
        if line is None:
            self.errors.seek(0)
            raise Failed("ended: " + self.errors.read().decode(errors="replace").strip()[-300:])
        facts = json.loads(line)
        for kind in ("missing", "error"):
            if kind in facts:
                raise Failed(facts[kind])
        return facts

    def ask(self, limit=300.0, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer(limit)

    def close(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.errors.close()


def write_workload(name, path, seed=0):
    """The weights that the engine starts from, by PyTorch's names, and a batch, as a file that every side reads."""
    from framework import drop_in

    workloads = drop_in.load(Path(__file__).parent / "workloads.py")
    workloads.torch.manual_seed(seed)
    model = workloads.make(name)
    parameters = {f"p:{key}": value.numpy() for key, value in model.state_dict().items()}
    batch = {f"b:{i}": array for i, array in enumerate(model.batch(np.random.default_rng(seed)))}
    np.savez(path, name=name, **parameters, **batch)
    return os.fspath(path)
