"""Gradients of K members of a user's module; the module never learns about K.

The members' parameters are the rows of one tensor. Their costs are summed, so that a member's gradient is that of a
lone module. They run at once where a trial shows that this gives the same gradients as one after the other; where it
does not, or where torch draws noise out of our reach, they run one after the other, and `notice` says why.

Shapes: K members, N rows, D inputs, C classes, P parameters, S dropout sites.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wellfit._typing import Floats, Integers, Task
from wellfit.fused.module_masks import StackNoise
from wellfit.fused.module_rows import row_layout, stacked_state
from wellfit.fused.module_runs import Run, Stack, State, at_once, one_by_one
from wellfit.training.module import PREFIX, ModuleNetwork
from wellfit.training.module_checks import trial_rows

_TRIAL_KEEPS = (0.4, 0.8)
_CLOSE = 1e-3
"""How near, relative to the largest, both ways' gradients must be in the trial: float32 is good to about 1e-5."""
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


class ModuleGradients:
    """The members of a stack as far as the module goes: their buffers, and the gradients of their parameters.

    Args:
        network: that all members start from.
        members: K.
        task: decides the cost.
        dtype: of all arithmetic.

    Attributes:
        layout: of the rows of parameters.
        notice: why the members run one after the other; empty where they run at once.
    """

    def __init__(
        self, network: ModuleNetwork, *, members: int, task: Task, dtype: type[np.floating] = np.float32
    ) -> None:
        self.layout = row_layout(network.module)
        self._network = network
        self._task: Task = task
        self._dtype = dtype
        self._state = self._started(members)
        self.notice = network.findings.own_noise or self._trial()

    def __call__(self, rows: Floats, batch: ModuleBatch, noise: StackNoise) -> tuple[Floats, Floats]:
        """Return the gradients [K, P] and the costs [K] of a batch, and move the buffers on.

        `rows` [K, P] are the members' parameters, as `layout` has them; neither they nor the answer are kept.
        """
        run = one_by_one if self.notice else at_once
        gradients, costs, self._state = self._gradients(run, rows, batch, noise=noise, state=self._state)
        return gradients, costs

    def outputs(self, rows: Floats, values: Floats) -> Floats:
        """Return the outputs [K, N, C] of encoded rows [N, D] without dropout, with the buffers as they are."""
        return self._outputs(one_by_one if self.notice else at_once, rows, values, state=self._state)

    def keep(self, members: Integers) -> None:
        """Let go of all members but these (places in the stack)."""
        places = torch.from_numpy(np.asarray(members, dtype=np.int64))
        self._state = {name: value[places] for name, value in self._state.items()}

    def start(self, *, members: int) -> Floats:
        """Return the rows [members, P] that all members start from."""
        return np.tile(self.layout.pack(self._network.module, dtype=self._dtype), (members, 1))

    def state_of(self, row: Floats, *, member: int) -> dict[str, Floats]:
        """Return the parameters [P] and the buffers of one member by name, as the network's state has them."""
        kept = {name: value[member] for name, value in self._state.items()}
        named = {**self.layout.unpack(torch.from_numpy(row)), **kept}
        return {PREFIX + name: value.numpy().copy() for name, value in named.items()}

    def _started(self, members: int) -> State:
        dtype = torch.from_numpy(np.empty(0, self._dtype)).dtype
        return stacked_state(self._network.module, members=members, dtype=dtype)

    @torch.enable_grad()
    def _gradients(
        self, run: Run, rows: Floats, batch: ModuleBatch, *, noise: StackNoise, state: State
    ) -> tuple[Floats, Floats, State]:
        leaf = torch.from_numpy(rows).requires_grad_()
        stack = Stack(self.layout.unpack(leaf), state, torch.from_numpy(batch.values))
        outputs, state = run(self._network, stack, noise=noise)
        costs = _costs(outputs, torch.from_numpy(batch.target), task=self._task)
        (gradients,) = torch.autograd.grad(costs.sum(), leaf)
        state = {name: value.detach() for name, value in state.items()}
        return gradients.numpy(), costs.detach().numpy(), state

    @torch.no_grad()
    def _outputs(self, run: Run, rows: Floats, values: Floats, *, state: State) -> Floats:
        stack = Stack(self.layout.unpack(torch.from_numpy(rows)), state, torch.from_numpy(values))
        outputs, _state = run(self._network, stack, noise=None)
        return np.asarray(outputs.numpy())

    def _trial(self) -> str:
        """Return why the members cannot run at once; empty where they can."""
        members = len(_TRIAL_KEEPS)
        # Members that differ, so that one member's answer cannot pass for another's.
        rows = self.start(members=members) * np.linspace(1, 1.1, members, dtype=self._dtype)[:, None]
        keeps = np.tile(np.array(_TRIAL_KEEPS)[:, None], (1, len(self._network.findings.sites)))
        noise = StackNoise(seed=0, stream="trial", update=0, keep_probs=keeps)
        batch = self._trial_batch()
        alone = self._tried(one_by_one, rows, batch, noise=noise)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = self._tried(at_once, rows, batch, noise=noise)
        except (RuntimeError, TypeError, ValueError) as error:
            return f"torch.vmap cannot run it ({_first_line(error)})"
        slow = next((warning.message for warning in caught if str(warning.message).startswith(_SLOW)), None)
        if slow:
            return f"torch.vmap runs it no faster ({_first_line(slow)})"
        same = all(map(_close, found, alone))
        return "" if same else "torch.vmap gives other values than the module alone"

    def _tried(self, run: Run, rows: Floats, batch: ModuleBatch, *, noise: StackNoise) -> tuple[Floats, ...]:
        gradients, costs, state = self._gradients(run, rows, batch, noise=noise, state=self._started(len(rows)))
        outputs = self._outputs(run, rows, batch.values, state=state)
        return gradients, costs, outputs, *(value.numpy() for value in state.values())

    def _trial_batch(self) -> ModuleBatch:
        network = self._network
        values = trial_rows(network.module, inputs=network.inputs, outputs=network.outputs)
        shape = (len(values), network.outputs) if self._task == "classification" else (len(values),)
        # Ones are labels too: every class in full.
        return ModuleBatch(values.numpy().astype(self._dtype), np.ones(shape, self._dtype))


def _costs(outputs: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Return the cost [K] of outputs [K, N, C]: cross-entropy against shares of classes, or the squared error."""
    if task == "classification":
        return -(target * outputs.log_softmax(-1)).sum(-1).mean(-1)
    return (outputs[..., 0] - target).square().mean(-1)


def _close(found: Floats, expected: Floats) -> bool:
    return np.allclose(found, expected, rtol=0, atol=_CLOSE * np.abs(expected).max(initial=0), equal_nan=True)


def _first_line(problem: Exception | Warning | str) -> str:
    return str(problem).strip().split("\n")[0].rstrip(".")
