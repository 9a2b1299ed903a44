"""A user's module in torch: gradients of K members; the module itself never sees K.

Members run together if a trial shows that this gives the same values as running them one after another.
Shapes: K members, N rows of data, D inputs, C classes, P trained parameters, R numbers of a whole row (module_rows.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from wellfit.fused.batches import Needs
from wellfit.fused.module_rows import ModuleLayout
from wellfit.fused.torch_updates import InputReader, Rows, UpdateInputs
from wellfit.records.config import Config, total_updates
from wellfit.training.dropout_sites import DropoutSites, StackMasks, StackNoise
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_checks import trial_rows
from wellfit.training.network import ConvNet
from wellfit.training.noise import SHARED, Address
from wellfit.training.pictures import Shape, changed, cut_of, member_of
from wellfit.training.schedules import keep_prob_at, strength
from wellfit.training.tensors import rows_at_once

_TRIAL_KEEPS = (0.4, 0.8)
_CLOSE = 1e-3
"""Largest difference allowed in the trial, relative to the largest value; float32 is accurate to about 1e-5."""
_SLOW = "There is a performance drop"
"""Start of torch's warning that it maps an operation by running it once per member."""


class ModuleBatch(NamedTuple):
    """Encoded rows and target of one update: the same for all members, or with K as the first dimension."""

    values: Tensor  # [N, D] or [K, N, D]
    target: Tensor  # [N, C] or [K, N, C] share of each class in a row's label; or [N] or [K, N] standardized values


class Gradients(NamedTuple):
    """Gradients [K, P] and costs [K] of one batch, and the rest of the rows [K, R - P] as the batch left it."""

    values: Tensor
    costs: Tensor
    kept: Tensor


class TorchModule:
    """A user's module as a function of all members' rows, which it does not store.

    `notice` is the reason why members run one after another; it is empty if they run together.
    """

    recordable = False

    def __init__(self, layout: ModuleLayout) -> None:
        self.layout = layout
        self._network = layout.network
        self._reader = InputReader(layout.plan, layout.data.train, device="cpu")
        self._classes = layout.network.outputs if layout.plan.classification else 0
        # `torch.vmap` makes grouped convolutions of the members' own. On one core, 8 members took 1.2 to 2.1 times as
        # long so on pictures of 28 and 32 pixels, and 0.8 to 1.1 times on those of 8 (timed once, on a busy machine).
        slow = "grouped convolutions are slower than one network after another"
        known = slow if isinstance(layout.network.module, ConvNet) else ""
        self.notice = self._network.findings.own_noise or known or self._trial()

    @property
    def exact(self) -> TorchModule:
        """The network as it is measured, which is this same one."""
        return self

    def costs_and_gradients(
        self, rows: Rows, at: UpdateInputs, *, needs: Needs, configs: Sequence[Config], update: int
    ) -> tuple[Tensor, Tensor]:
        """Return each member's cost [K] of the batch and its derivative [K, P]; the batch updates the buffers."""
        batch, noise = self._read(at, needs, configs, update=update), self._noise(configs, update=update)
        gradients, costs, kept = self.gradients(rows.parameters, rows.kept, batch, noise=noise)
        rows.kept.copy_(kept)
        return costs, gradients

    def gradients(self, trained: Tensor, kept: Tensor, batch: ModuleBatch, *, noise: StackNoise) -> Gradients:
        """Return the gradients on a batch of members with parameters [K, P] and untrained numbers [K, R - P]."""
        if not self.notice:
            return self._gradients(at_once, trained, kept, batch=batch, noise=noise)
        # Each goes back before the next goes forward: what it has to keep until then stays in the cache of a core.
        parts = []
        for member in range(len(trained)):
            own = slice(member, member + 1)
            mine = self._batch_of(batch, member)
            parts.append(self._gradients(one_by_one, trained[own], kept[own], batch=mine, noise=noise.only(member)))
        return Gradients(*map(torch.cat, zip(*parts, strict=True)))

    def rows_at_once(self, members: int) -> int:
        """Return how many rows fit in one forward pass of this many members."""
        return max(rows_at_once(self._network) // members, 1)

    @torch.no_grad()
    def outputs(self, rows: Tensor, _codes: Tensor, values: Tensor) -> Tensor:
        """Return the outputs [K, N, C] of the members `rows` [K, R] on encoded rows [N, D], without dropout."""
        size = self.layout.rows.parameters
        members = self._members(rows[:, :size].to(self.layout.real), rows[:, size:], values)
        outputs, _state = (one_by_one if self.notice else at_once)(self._network, members, None)
        return outputs

    def _read(self, at: UpdateInputs, needs: Needs, configs: Sequence[Config], *, update: int) -> ModuleBatch:
        """Return the batch after label smoothing, changes to pictures, noise on numbers and mixup, in this order."""
        values, target = at.shared, at.labels(self._classes) if self._classes else at.target
        if at.smoothing.any():
            target = at.smoothed(target)
        shape = self.layout.data.preparation.schema.picture
        if shape is not None and any(config.regularization.augment for config in configs):
            address = Address(configs[0].seed, SHARED, update)
            values, target = changed_pictures(values, target, configs, at=address, shape=shape)
        values = self._reader(values, at, needs)
        if needs.mixup:
            target = at.mixed(target)
        return ModuleBatch(values, target if self._classes else target[..., 0])

    def _noise(self, configs: Sequence[Config], *, update: int) -> StackNoise:
        updates = total_updates(configs[0], rows=self.layout.data.train.rows)
        schedules = [config.regularization.keep_prob_schedule for config in configs]
        shares = np.array([strength(one, update=update, updates=updates) for one in schedules])
        keeps = keep_prob_at(self.layout.keep_probs(configs), strength=shares[:, None])
        return StackNoise(seed=configs[0].seed, stream=SHARED, update=update, keep_probs=keeps)

    def _batch_of(self, batch: ModuleBatch, member: int) -> ModuleBatch:
        """Return the batch as one member reads it."""
        values = batch.values[member] if batch.values.ndim == 3 else batch.values
        axes = 2 if self._classes else 1
        return ModuleBatch(values, batch.target[member] if batch.target.ndim > axes else batch.target)

    def _members(self, trained: Tensor, kept: Tensor, values: Tensor) -> ModuleMembers:
        rows = self.layout.rows
        return ModuleMembers(rows.unpack(trained), rows.unpack_kept(kept, dtype=self.layout.real), values)

    @torch.enable_grad()
    def _gradients(
        self, run: Run, trained: Tensor, kept: Tensor, *, batch: ModuleBatch, noise: StackNoise
    ) -> Gradients:
        leaf = trained.detach().requires_grad_()
        outputs, state = run(self._network, self._members(leaf, kept, batch.values), noise)
        if self._classes:
            costs = -(batch.target * outputs.log_softmax(-1)).sum(-1).mean(-1)
        else:
            costs = (outputs[..., 0] - batch.target).square().mean(-1)
        (gradients,) = torch.autograd.grad(costs.sum(), leaf)
        state = {name: value.detach() for name, value in state.items()}
        return Gradients(gradients, costs.detach(), self.layout.rows.pack_kept(state) if state else kept)

    def _trial(self) -> str:
        """Return the reason why the members cannot run together; empty if they can."""
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
        return "" if all(map(_close, found, alone)) else "torch.vmap gives different values from the module alone"

    def _tried(self, run: Run) -> tuple[Tensor, ...]:
        members, network = len(_TRIAL_KEEPS), self._network
        parameters, kept = map(torch.from_numpy, self.layout.start(members))
        # Members that differ, so that one member's output cannot pass for another's.
        trained = (parameters.double() * torch.linspace(1, 1.1, members, dtype=torch.double)[:, None]).to(parameters)
        keeps = np.tile(np.array(_TRIAL_KEEPS)[:, None], (1, len(network.findings.sites)))
        noise = StackNoise(seed=0, stream="trial", update=0, keep_probs=keeps)
        values = trial_rows(network.module, inputs=network.inputs, outputs=network.outputs).to(trained)
        # Labels of ones are as good as any: every class in full.
        target = torch.ones((len(values), self._classes) if self._classes else len(values)).to(trained)
        found = self._gradients(run, trained, kept, batch=ModuleBatch(values, target), noise=noise)
        with torch.no_grad():
            outputs, _state = run(network, self._members(trained, kept, values), None)
        return *found, outputs


def _close(found: Tensor, expected: Tensor) -> bool:
    size = np.abs(expected.numpy()).max(initial=0)
    return np.allclose(found.numpy(), expected.numpy(), rtol=0, atol=_CLOSE * size, equal_nan=True)


def _first_line(problem: Exception | Warning | str) -> str:
    return str(problem).strip().split("\n")[0].rstrip(".")


State = dict[str, Tensor]


@dataclass(frozen=True)
class ModuleMembers:
    """K members: parameters [K, *shape] and the rest (buffers, frozen parameters) by name, and the rows they read."""

    parameters: Mapping[str, Tensor]
    state: State
    values: Tensor
    """The members' encoded rows."""

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    @property
    def values_axis(self) -> int | None:
        """The axis of the members in `values`, if there is one."""
        return 0 if self.values.dim() == 3 else None


Run: TypeAlias = Callable[[ModuleNetwork, ModuleMembers, StackNoise | None], tuple[Tensor, State]]
"""Returns the outputs [K, N, C] and the buffers as the run left them; without noise, it runs as in evaluation."""


def at_once(network: ModuleNetwork, members: ModuleMembers, noise: StackNoise | None) -> tuple[Tensor, State]:
    """Run all members in one call; see `Run`."""
    network.module.train(noise is not None)
    keeping = noise.tensors(members.values.dtype) if noise else (torch.empty(len(members), 0),) * 2

    def member(given: State, values: Tensor, keeping: tuple[Tensor, Tensor]) -> tuple[Tensor, State]:
        with DropoutSites(StackMasks(noise, *keeping) if noise else None, mapped=True):
            outputs = _called(network, given, values)
        return _two_dimensional(outputs), {name: given[name] for name in members.state}

    # What the module does to its buffers must not reach those of the stack before all members are through.
    given = {**members.parameters, **{name: value.clone() for name, value in members.state.items()}}
    mapped = torch.vmap(member, in_dims=(0, members.values_axis, 0))
    found: tuple[Tensor, State] = mapped(given, members.values, keeping)
    return found


def one_by_one(network: ModuleNetwork, members: ModuleMembers, noise: StackNoise | None) -> tuple[Tensor, State]:
    """Run the members one after another; see `Run`."""
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
            outputs.append(_two_dimensional(_called(network, given, values)))
        states.append({name: given[name].detach() for name in state})
    return torch.stack(outputs), {name: torch.stack([each[name] for each in states]) for name in members.state}


def _called(network: ModuleNetwork, given: State, values: Tensor) -> Tensor:
    """Call the module with the tensors `given`, each under all of its names.

    torch's own handling of tied names restores the tensors of a layer with two names in the wrong order, and so
    leaves those of `given` in the module. Afterwards, `given` has the buffers as the module leaves them.
    """
    named = {**given, **{other: given[name] for other, name in network.other_names.items()}}
    outputs: Tensor = functional_call(network.module, named, (values,), tie_weights=False)
    # A buffer that the module has reassigned is in the dictionary of the call.
    given.update((name, named[name]) for name in given)
    return outputs


def _two_dimensional(outputs: Tensor) -> Tensor:
    return outputs.unsqueeze(1) if outputs.dim() == 1 else outputs


def changed_pictures(
    values: Tensor, labels: Tensor, configs: Sequence[Config], *, at: Address, shape: Shape
) -> tuple[Tensor, Tensor]:
    """Return pixels [K, B, D] of pictures [B, D] as K members see them, and labels [K, B, C] of [B, C] or [K, B, C].

    Each way of changing pictures (training/pictures.py) is computed once, in compiled code. If all members change them
    in the same way, the pixels have no dimension K; if no member cuts pictures, the labels are returned as they are.
    """
    members = [member_of(config) for config in configs]
    ways = list(dict.fromkeys(members))
    way_of = [ways.index(member) for member in members]
    pixels = changed(values, ways, at=at, shape=shape)
    cuts = [cut_of(way, at=at, rows=len(values), shape=shape) for way in ways]
    seen = [cut.pictures(each) if cut else each for cut, each in zip(cuts, pixels, strict=True)]
    if any(cuts):
        whole, mine = labels.expand(len(configs), *labels.shape[-2:]), [cuts[way] for way in way_of]
        labels = torch.stack([cut.labels(each) if cut else each for cut, each in zip(mine, whole, strict=True)])
    return seen[0] if len(seen) == 1 else torch.stack([seen[way] for way in way_of]), labels
