"""Gradients of K members of a user's module; the module never learns about K.

The members' parameters are the rows of one tensor. Their costs are summed, so that a member's gradient is that of a
lone module. They run at once where a trial shows that this gives the same values as one after the other; where it
does not, or where torch draws noise out of our reach, they run one after the other, and `notice` says why.

Shapes: K members, N rows of data, D inputs, C classes, P trained parameters, R numbers of a whole row (module_rows.py),
S dropout sites.
Two ways to run a user's module for K members: all at once, or one after the other. Same arguments, same answers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from wellfit._typing import Floats, Task
from wellfit.fused.module_rows import StackMasks, StackNoise, row_layout
from wellfit.training.convolution import ConvNet
from wellfit.training.dropout_sites import DropoutSites
from wellfit.training.module import PREFIX, ModuleNetwork
from wellfit.training.module_checks import trial_rows

_TRIAL_KEEPS = (0.4, 0.8)
_CLOSE = 1e-3
"""How near, relative to the largest, both ways' values must be in the trial: float32 is good to about 1e-5."""
_SLOW = "There is a performance drop"
"""How torch's warning begins where it maps an operation by running it once for each member."""


@dataclass(frozen=True)
class ModuleBatch:
    """What the members read at one update: the same for all, or with K in front.

    Attributes:
        values: [N, D] or [K, N, D] encoded rows.
        target: [N, C] or [K, N, C] share of each class in a row's label; or [N] or [K, N] standardized values.
    """

    values: Floats
    target: Floats


@dataclass(frozen=True)
class Gradients:
    """What one batch came to.

    Attributes:
        values: [K, P].
        costs: [K].
        kept: [K, R - P] buffers and frozen parameters, as the batch left them.
    """

    values: Floats
    costs: Floats
    kept: Floats


class ModuleGradients:
    """A user's module as a function of whole stacks. It keeps nothing of the members.

    Args:
        network: the module.
        task: decides the cost.
        dtype: of all arithmetic.

    Attributes:
        layout: of the members' rows.
        notice: why members run one after the other; empty where they run at once.
    """

    def __init__(self, network: ModuleNetwork, *, task: Task, dtype: type[np.floating] = np.float32) -> None:
        self.layout = row_layout(network.module)
        self._network = network
        self._task: Task = task
        self._dtype = dtype
        self.notice = network.findings.own_noise or _slow_at_once(network) or self._trial()

    def __call__(self, rows: Floats, batch: ModuleBatch, noise: StackNoise) -> Gradients:
        """Return the gradients of the members `rows` [K, R] on a batch."""
        if not self.notice:
            return self._gradients(at_once, rows, batch, noise=noise)
        # Each goes back before the next goes forward: what it has to keep until then stays in the cache of a core.
        parts = [
            self._gradients(one_by_one, rows[place : place + 1], self._batch_of(batch, place), noise=noise.only(place))
            for place in range(len(rows))
        ]
        values, costs, kept = ([getattr(part, name) for part in parts] for name in ("values", "costs", "kept"))
        return Gradients(np.concatenate(values), np.concatenate(costs), np.concatenate(kept))

    def _batch_of(self, batch: ModuleBatch, member: int) -> ModuleBatch:
        """Return what one member reads."""
        target_axes = 2 if self._task == "classification" else 1
        values = batch.values[member] if batch.values.ndim == 3 else batch.values
        return ModuleBatch(values, batch.target[member] if batch.target.ndim > target_axes else batch.target)

    def outputs(self, rows: Floats, values: Floats) -> Floats:
        """Return the outputs [K, N, C] of the members `rows` [K, R] on encoded rows [N, D], without dropout."""
        return self._outputs(one_by_one if self.notice else at_once, rows, values)

    def start(self, *, members: int) -> Floats:
        """Return the rows [members, R] that all members start from."""
        return np.tile(self.layout.pack(self._network.module), (members, 1))

    def state_of(self, row: Floats) -> dict[str, Floats]:
        """Return what a row [R] holds by name, as the network's state has it."""
        trained, kept = self._split(torch.from_numpy(row))
        named = {**self.layout.unpack(trained), **self.layout.unpack_kept(kept, dtype=self._real)}
        return {PREFIX + name: named[tensor].numpy().copy() for name, tensor in self.layout.names.items()}

    @property
    def _real(self) -> torch.dtype:
        return torch.from_numpy(np.empty(0, self._dtype)).dtype

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the trained parameters [..., P] in this stack's type, and the rest [..., R - P] as it was."""
        return rows[..., : self.layout.parameters].to(self._real), rows[..., self.layout.parameters :]

    def _members(self, trained: Tensor, kept: Tensor, values: Floats) -> Members:
        state = self.layout.unpack_kept(kept, dtype=self._real)
        return Members(self.layout.unpack(trained), state, torch.from_numpy(values))

    @torch.enable_grad()
    def _gradients(self, run: Run, rows: Floats, batch: ModuleBatch, *, noise: StackNoise) -> Gradients:
        trained, kept = self._split(torch.from_numpy(rows))
        leaf = trained.detach().requires_grad_()
        outputs, state = run(self._network, self._members(leaf, kept, batch.values), noise=noise)
        costs = _costs(outputs, torch.from_numpy(batch.target), task=self._task)
        (gradients,) = torch.autograd.grad(costs.sum(), leaf)
        state = {name: value.detach() for name, value in state.items()}
        after = self.layout.pack_kept(state) if state else kept.numpy()
        return Gradients(np.ascontiguousarray(gradients.numpy()), costs.detach().numpy(), after)

    @torch.no_grad()
    def _outputs(self, run: Run, rows: Floats, values: Floats) -> Floats:
        trained, kept = self._split(torch.from_numpy(rows))
        outputs, _state = run(self._network, self._members(trained, kept, values), noise=None)
        return np.asarray(outputs.numpy())

    def _trial(self) -> str:
        """Return why the members cannot run at once; empty where they can."""
        alone = self._tried(one_by_one)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = self._tried(at_once)
        except (RuntimeError, TypeError, ValueError) as error:
            return f"torch.vmap cannot run it ({_first_line(error)})"
        slow = next((warning.message for warning in caught if str(warning.message).startswith(_SLOW)), None)
        if slow:
            return f"torch.vmap runs it no faster ({_first_line(slow)})"
        return "" if all(map(_close, found, alone)) else "torch.vmap gives other values than the module alone"

    def _tried(self, run: Run) -> tuple[Floats, ...]:
        members, network = len(_TRIAL_KEEPS), self._network
        rows = self.start(members=members)
        # Members that differ, so that one member's answer cannot pass for another's.
        rows[:, : self.layout.parameters] *= np.linspace(1, 1.1, members)[:, None]
        keeps = np.tile(np.array(_TRIAL_KEEPS)[:, None], (1, len(network.findings.sites)))
        noise = StackNoise(seed=0, stream="trial", update=0, keep_probs=keeps)
        values = trial_rows(network.module, inputs=network.inputs, outputs=network.outputs).numpy().astype(self._dtype)
        shape = (len(values), network.outputs) if self._task == "classification" else (len(values),)
        # Labels of ones are as good as any: every class in full.
        found = self._gradients(run, rows, ModuleBatch(values, np.ones(shape, self._dtype)), noise=noise)
        return found.values, found.costs, found.kept, self._outputs(run, rows, values)


def _slow_at_once(network: ModuleNetwork) -> str:
    """Why members of this network had better wait for each other; empty where that is not known.

    Timed once, on one thread of a busy machine and before channels came last in memory: 8 members at once, as grouped
    convolutions, took 1.2 to 2.1 times as long as one after the other on pictures of 28 and 32 pixels, and 0.8 to 1.1
    times on pictures of 8.
    """
    return "grouped convolutions are slower than one network after the other" * isinstance(network.module, ConvNet)


def _costs(outputs: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Return the cost [K] of outputs [K, N, C]: cross-entropy against shares of classes, or the squared error."""
    if task == "classification":
        return -(target * outputs.log_softmax(-1)).sum(-1).mean(-1)
    return (outputs[..., 0] - target).square().mean(-1)


def _close(found: Floats, expected: Floats) -> bool:
    return np.allclose(found, expected, rtol=0, atol=_CLOSE * np.abs(expected).max(initial=0), equal_nan=True)


def _first_line(problem: Exception | Warning | str) -> str:
    return str(problem).strip().split("\n")[0].rstrip(".")


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
