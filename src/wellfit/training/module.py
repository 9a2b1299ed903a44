"""A network of the user's own: an ordinary `nn.Module`, trained like the built-in network.

The module receives one tensor [N, inputs] with the type of its parameters: the D numbers, then each of the C categories
as one-hot, however many levels it has; a level never seen in training becomes zeros. The module returns logits [N, K],
or standardized values [N, 1] or [N].
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from wellfit.base.typing import Task
from wellfit.data.prepare import Preparation
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network
from wellfit.training.dropout_sites import DropoutSites, SiteMasks
from wellfit.training.module_checks import (
    Findings,
    ModuleFactory,
    build_own,
    decay_list,
    examine,
    other_names,
    seeded,
    site_keep_probs,
)
from wellfit.training.network import MLP, Dropout, OneHot

PREFIX = "module."
"""Prefix of the names of the user's parameters in a state."""


class ModuleNetwork(nn.Module):
    """A user's module with the interface of `MLP`, refused if it breaks a rule (module_checks.py).

    `levels` has the number of levels of each category seen in training.
    """

    def __init__(
        self,
        factory: ModuleFactory,
        *,
        columns: int,
        levels: Sequence[int],
        outputs: int,
        task: Task,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = columns + sum(levels), outputs
        self._categories = nn.ModuleList(OneHot(levels=count) for count in levels)
        self.module = build_own(factory, inputs=self.inputs, outputs=outputs, seed=seed)
        self.other_names = other_names(self.module)
        self.findings: Findings = examine(self.module, task=task, inputs=self.inputs, outputs=outputs)

    def forward(self, numeric: Tensor, codes: Tensor, drop: Dropout | None = None) -> Tensor:
        """Return the outputs [N, K] of numbers [N, D] and codes [N, C]: logits, or standardized values."""
        return self.from_encoded(self.encode(numeric, codes), drop)

    def encode(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Return the module's input [N, inputs]: numbers, then one-hot categories."""
        parts = [category(codes[:, place]) for place, category in enumerate(self._categories)]
        return torch.cat([numeric, *(part.to(numeric.dtype) for part in parts)], dim=1)

    def from_encoded(self, values: Tensor, drop: Dropout | None = None) -> Tensor:
        """Return the outputs [N, K] of encoded rows.

        Without `drop`, the module is in evaluation mode. With `drop`, it is too if this network was put into evaluation
        mode: units are then dropped while norms and the like behave as in prediction (Monte-Carlo dropout).
        """
        masks = self.masks(drop) if drop else None
        training = self.training and masks is not None
        if self.module.training != training:
            self.module.train(training)
        with self.noise(masks), DropoutSites(masks, always=not training):
            outputs: Tensor = self.module(values)
        return outputs.unsqueeze(1) if outputs.dim() == 1 else outputs

    def masks(self, drop: Dropout) -> SiteMasks:
        """Return the masks of all sites at the update of `drop`, which replace the rates in the module's own code."""
        now = drop.at
        keeps = now.scheduled(site_keep_probs(now.config, sites=len(self.findings.sites)))
        return SiteMasks(now.config.seed, now.stream, now.update, keeps)

    def noise(self, masks: SiteMasks | None) -> AbstractContextManager[None]:
        """Return a context in which torch's own draws depend only on the address of `masks`."""
        if not self.findings.draws:
            return nullcontext()
        if masks is None:
            return seeded(0)
        address = f"{masks.seed}/{masks.stream}/{masks.update}".encode()
        return seeded(int.from_bytes(hashlib.sha256(address).digest()[:8], "little"))

    def decayed(self) -> dict[str, Tensor]:
        """Return W of the cost, by name (module_checks.py has the rule)."""
        return self._parameters_of(decayed=True)

    def undecayed(self) -> dict[str, Tensor]:
        """Return every other trained parameter: biases, norms, embeddings."""
        return self._parameters_of(decayed=False)

    def _parameters_of(self, *, decayed: bool) -> dict[str, Tensor]:
        named = dict(self.module.named_parameters())
        return {PREFIX + one.name: named[one.name] for one in decay_list(self.module) if one.decayed is decayed}


AnyNetwork: TypeAlias = MLP | ModuleNetwork


def module_network(preparation: Preparation, factory: ModuleFactory, *, seed: int) -> ModuleNetwork:
    """Return the network around a module that `factory` builds, as `seed` initializes it, in float32."""
    network = ModuleNetwork(
        factory,
        columns=len(preparation.numeric_names),
        levels=[codes - 1 for codes in preparation.cardinalities],
        outputs=preparation.outputs,
        task=preparation.schema.task,
        seed=seed,
    )
    return network.float()


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""An object's address in memory, as Python prints it, which differs in every process."""


def named_after(factory: ModuleFactory, config: Config, *, preparation: Preparation) -> Config:
    """Return `config` with the name of the module's code instead of the built-in network's knobs."""
    module = module_network(preparation, factory, seed=config.seed).module
    return replace(config, network=Network(module=code_of(factory, module)))


def code_of(factory: ModuleFactory, module: nn.Module) -> str:
    """Return a name for the code of `module`, which `factory` returned: the factory's name @ a digest.

    The digest covers the source of the factory and of the module's classes that are not torch's, the layers and shapes
    that the module prints, and the arguments of a `functools.partial`, but not the functions that these call. A source
    that cannot be read, such as that of a function typed into a bare console, is refused.
    """
    arguments = []
    while isinstance(factory, functools.partial):
        arguments.append(repr((factory.args, sorted(factory.keywords.items()))))
        factory = factory.func
    owner = factory if inspect.isroutine(factory) or isinstance(factory, type) else type(factory)
    classes = {type(layer) for layer in module.modules() if not type(layer).__module__.startswith("torch.")}
    ordered = sorted(classes - {owner}, key=lambda one: (one.__module__, one.__qualname__))
    texts = [_source(one) for one in (owner, *ordered)]
    shapes = [f"{name} {tuple(value.shape)}" for name, value in module.named_parameters()]
    whole = _ADDRESS.sub("", "\0".join([*arguments, *texts, repr(module), *shapes]))
    return f"{owner.__qualname__}@{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def _source(owner: object) -> str:
    try:
        return inspect.getsource(owner)  # type: ignore[arg-type]
    except (OSError, TypeError) as error:
        raise BadInput(
            "the source of a module must be readable, because the configuration's identity is computed from it",
            found=f"module={getattr(owner, '__qualname__', owner)!r}: {error}",
            remedy="Define the factory and its classes in a file or a notebook",
        ) from error
