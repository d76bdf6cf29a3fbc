"""Sharing a dataset out among the processes of one job."""

import math
import os

import numpy as np

from .randomness import private_generator
from .sampler import Sampler


class DistributedSampler(Sampler):
    """This process's share of the indices: every num_replicas-th of an order that all ranks agree on by seed + epoch.

    Each rank gets equally many: the first indices are repeated, or with drop_last the last ones left out. Call
    `set_epoch(epoch)` before each epoch, else the order never changes. num_replicas and rank default to what torchrun
    puts into the environment (WORLD_SIZE, RANK).
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            missing = [name for name in ("WORLD_SIZE", "RANK") if name not in os.environ]
            if missing:
                raise RuntimeError(
                    f"DistributedSampler: {' and '.join(missing)} not in the environment; start with torchrun, or pass num_replicas and rank"
                )
        num_replicas = int(os.environ["WORLD_SIZE"]) if num_replicas is None else num_replicas
        rank = int(os.environ["RANK"]) if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"DistributedSampler: rank {rank} should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        order = private_generator(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        order = np.resize(order, self.total_size)  # cuts, or repeats from the front
        return iter(order[self.rank :: self.num_replicas].tolist())

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        self.epoch = epoch
