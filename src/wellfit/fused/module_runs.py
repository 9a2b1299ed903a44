"""Two ways to run a user's module for K members: all at once, or one after the other. Same arguments, same answers.

`torch.vmap` (functorch, He and Zou, 2021) runs the module once over all members; the module sees the shapes of one.
It asks for a module without hidden state, whose operations torch can map, and whose random numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import functional_call

from wellfit.fused.module_masks import StackMasks, StackNoise
from wellfit.training.dropout_sites import DropoutSites
from wellfit.training.module import ModuleNetwork

State = dict[str, Tensor]


@dataclass(frozen=True)
class Members:
    """K members and what they read.

    Attributes:
        parameters: [K, *shape] by name.
        state: [K, *shape] buffers and frozen parameters by name.
        values: [N, D] encoded rows of all members, or [K, N, D] of each.
    """

    parameters: Mapping[str, Tensor]
    state: State
    values: Tensor

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    @property
    def values_axis(self) -> int | None:
        """The axis of the members in `values`."""
        return 0 if self.values.dim() == 3 else None


class Run(Protocol):
    """Runs a module for all members."""

    def __call__(self, network: ModuleNetwork, members: Members, *, noise: StackNoise | None) -> tuple[Tensor, State]:
        """Return the outputs [K, N, C], and the buffers as the run left them; without noise, as in evaluation."""
        ...


def at_once(network: ModuleNetwork, members: Members, *, noise: StackNoise | None) -> tuple[Tensor, State]:
    """Run all members in one call, as `Run` says."""
    network.module.train(noise is not None)
    keeping = noise.tensors(members.values.dtype) if noise else (torch.empty(len(members), 0),) * 2

    def member(given: State, values: Tensor, keeping: tuple[Tensor, Tensor]) -> tuple[Tensor, State]:
        with DropoutSites(StackMasks(noise, *keeping) if noise else None, mapped=True):
            outputs = functional_call(network.module, given, (values,))
        return _two_dimensional(outputs), {name: given[name] for name in members.state}

    # What the module does to its buffers must not reach those of the stack before all members are through.
    given = {**members.parameters, **{name: value.clone() for name, value in members.state.items()}}
    mapped = torch.vmap(member, in_dims=(0, members.values_axis, 0))
    found: tuple[Tensor, State] = mapped(given, members.values, keeping)
    return found


def one_by_one(network: ModuleNetwork, members: Members, *, noise: StackNoise | None) -> tuple[Tensor, State]:
    """Run one member after the other, as `Run` says."""
    network.module.train(noise is not None)
    outputs, states = [], []
    # Unbound at once: the gradient of one place of a tensor is a tensor of zeros around it.
    parameters = {name: value.unbind() for name, value in members.parameters.items()}
    for member in range(len(members)):
        state = {name: value[member].clone() for name, value in members.state.items()}
        given = {**{name: values[member] for name, values in parameters.items()}, **state}
        masks = noise.of_member(member) if noise else None
        values = members.values if members.values_axis is None else members.values[member]
        with network.noise(masks), DropoutSites(masks):
            outputs.append(_two_dimensional(functional_call(network.module, given, (values,))))
        states.append({name: given[name].detach() for name in state})
    return torch.stack(outputs), {name: torch.stack([each[name] for each in states]) for name in members.state}


def _two_dimensional(outputs: Tensor) -> Tensor:
    return outputs.unsqueeze(1) if outputs.dim() == 1 else outputs
