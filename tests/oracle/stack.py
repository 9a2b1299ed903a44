"""The plain loop as a stack (wellfit/fused/stack.py) of one member, which the race measures and ends as any other."""

from __future__ import annotations

import copy
from itertools import islice

import numpy as np
import torch

from oracle.loop import Training
from wellfit.data.training_rows import trained_on
from wellfit.fused.race import Race
from wellfit.training.tensors import Inputs, conv_network, new_mlp, one_thread, outputs_of


def fit(data, config, *, goal, deadline=None):
    """Train one config, and return its outcome."""
    data, found = trained_on(data, config.data), []
    with one_thread():
        Race(data, PlainStack(data, config), goal=goal, deadline=deadline).run(found.append)
    return found[0]


def new_network(data, network, *, seed, dtype=torch.float32):
    """Return the network that `seed` starts from."""
    if network.kind == "conv":
        return conv_network(data.preparation, network, seed=seed).to(dtype)
    return new_mlp(data, network, seed=seed, dtype=dtype)


class PlainStack:
    """A training as a stack of one member, whose row is its network's whole state in float64."""

    def __init__(self, data, config):
        self._spare = new_network(data, config.network, seed=config.seed)
        self._training = Training(config, data, network=copy.deepcopy(self._spare))
        self._losses = self._training.losses()
        self.configs, self.planned, self.updates = (config,), self._training.planned, 0

    def __len__(self):
        return len(self.configs)

    @property
    def parameters(self):
        values = self._training.measured.state_dict().values()
        return np.concatenate([value.numpy().ravel() for value in values], dtype=np.float64, casting="unsafe")[None]

    @property
    def notice(self):
        return ""

    def compile(self):
        pass

    def advance(self, stop):
        costs = list(islice(self._losses, min(stop - self.updates, 1)))
        self.updates = self._training.updates
        return np.array(costs)[:, None]

    def outputs(self, rows, arrays):
        return np.array([outputs_of(self.network_of(row), Inputs.of(arrays)).numpy() for row in rows])

    def keep(self, members):
        self.configs = self.configs if members[0] else ()

    def network_of(self, row):
        start, named = 0, self._spare.state_dict()
        for value in named.values():
            value.copy_(torch.from_numpy(row[start : start + value.numel()]).reshape(value.shape))
            start += value.numel()
        return copy.deepcopy(self._spare).eval()
