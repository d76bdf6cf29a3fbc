"""One peer on one workload, in a process and an environment of its own: `python -P worker.py PEER FILE THREADS DEVICE`.

FILE holds the weights and the batch. The process answers a line of JSON for each line of JSON that it reads, on what was its standard
output (a library's own prints go to standard error): first the losses of its first steps and the seconds of the last; then {"time": "step",
"repeats": 5, "warm": 2} → {"seconds": 0.12}, {"memory": true} → {"tensors": …, "process": …}, and {"train": …}. It ends with its input.
"""

import importlib
import json
import os
import pathlib
import resource
import sys
import time

ROOT = str(pathlib.Path(__file__).resolve().parents[2])
SLOW = 2.0  # seconds a step, from which on one is enough
AT_HOME = {"engine", "numba", "by hand", "pytorch", "compiled"}


def load(peer):
    """The class that runs a peer. Elsewhere than at home the project's folder leaves the path again: its dezero/ is another."""
    sys.path.insert(0, ROOT)
    from benchmarks.peers import old_numpy

    if peer not in AT_HOME:
        sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != ROOT]
        if peer in ("dezero", "chainer"):
            old_numpy.mend()
        return importlib.import_module(f"benchmarks.peers.on_{peer}").Peer
    return importlib.import_module("benchmarks.peers.at_home").PEERS[peer]


def read_workload(path, peer):
    """(name, parameters, batch) from the file; the mask of BERT as what is added to the scores, but for who speaks PyTorch."""
    import numpy as np

    with np.load(path) as file:
        name = str(file["name"])
        parameters = {key[2:]: file[key] for key in file if key.startswith("p:")}
        batch = [file[f"b:{i}"] for i in range(sum(key.startswith("b:") for key in file))]
    if peer not in AT_HOME:
        name = name.split()[0]  # what is set besides shows in the weights' shapes
        batch = [np.where(a, 0, -1e9).astype(np.float32) if a.dtype == bool else a for a in batch]
        parameters = {key: a for key, a in parameters.items() if "running_" not in key and "num_batches" not in key}
    return name, parameters, batch


def train(peer, path, epochs, batch_size, seed):
    """[{"seconds": so far, in training alone, "accuracy": on the test set}] after each epoch of the data set in a file."""
    import numpy as np

    with np.load(path) as file:
        x, y, x_test, y_test = (file[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    rng, seconds, rows = np.random.default_rng(seed), 0.0, []
    for _ in range(epochs):
        order = rng.permutation(len(x))
        start = time.perf_counter()
        for i in range(0, len(x) - batch_size + 1, batch_size):
            part = order[i : i + batch_size]
            peer.use([x[part], y[part]])
            peer.step()
        seconds += time.perf_counter() - start
        accuracy = float((peer.logits(x_test).argmax(1) == y_test).mean())
        rows.append({"seconds": seconds, "accuracy": accuracy})
    return rows


def main(peer_name, path, threads, device):
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    def answer(**facts):
        answers.write(json.dumps(facts) + "\n")

    try:
        cls = load(peer_name)
        cls.use_threads(threads)
        cls.lr = float(os.environ.get("BENCHMARK_LR", cls.lr))  # accuracy.py's
        cls.device = device
        name, parameters, batch = read_workload(path, peer_name)

        def make():
            return cls(
                name, {key: array.copy() for key, array in parameters.items()}, [array.copy() for array in batch]
            )

        peer = make()
        losses, seconds = [peer.forward(), peer.step()], []
        while len(seconds) < 2 and max(seconds, default=0) < SLOW:  # the first may still compile
            start = time.perf_counter()
            losses.append(peer.step())
            seconds.append(time.perf_counter() - start)
    except Exception as error:
        kind = "missing" if type(error).__name__ == "Missing" else "error"
        answer(**{kind: str(error) or type(error).__name__})
        if kind == "error":
            raise
        return
    answer(losses=losses, seconds=seconds[-1])
    for line in sys.stdin:
        order = json.loads(line)
        if "time" in order:
            step = getattr(peer, order["time"])
            for _ in range(order["warm"]):
                step()
            start = time.perf_counter()
            for _ in range(order["repeats"]):
                step()
            if device != "cpu":
                peer.wait()
            answer(seconds=(time.perf_counter() - start) / order["repeats"])
        elif "train" in order:
            answer(epochs=train(make(), **order["train"]))
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            answer(tensors=cls.memory(make), process=peak)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
