"""Trial of a user's module before it is trained: its factory is called, and a module unfit for training is refused.

A factory is called with inputs= and outputs=, or with nothing, and returns a new module at each call. `decay_list`
says which of a module's parameters are W of the cost.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from wellfit.base.typing import Task
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.training.dropout_sites import DropoutSites, Site, SiteMasks

_FAILURES = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Exceptions raised by a module that cannot take its input or is unfinished."""
_SUM_SLACK = 1e-4
_MORE_ROWS = 3
"""How many more rows than outputs a trial has, so that the two cannot be confused."""


@dataclass(frozen=True)
class Findings:
    """How a module behaved in its trial: its dropout sites in the order of the calls, and its own noise."""

    sites: tuple[Site, ...]
    draws: bool
    """Whether it drew from torch's generator, besides using the masks that wellfit provides for its sites."""

    @property
    def own_noise(self) -> str:
        """The reason why members cannot share its noise; empty if they can."""
        opaque = sorted({site.function for site in self.sites if site.opaque})
        if opaque:
            return f"torch itself draws the dropout masks of {', '.join(opaque)}"
        return "it draws its own random numbers" if self.draws else ""


def examine(module: nn.Module, *, task: Task, inputs: int, outputs: int) -> Findings:
    """Try a copy of `module` on a few made-up rows, and refuse it if it fails or its outputs do not fit the target."""
    rows = trial_rows(module, inputs=inputs, outputs=outputs)
    tried = copy.deepcopy(module)
    sites = DropoutSites(SiteMasks(0, "trial", 0, (0.5,)))
    with torch.enable_grad(), seeded(0):
        before = torch.default_generator.get_state()
        with sites:
            _try(tried.train(), rows, task=task, outputs=outputs)
        with DropoutSites(None):
            _try(tried.eval(), rows, task=task, outputs=outputs)
            if task == "classification":
                _require_logits(tried(rows))
            # Outputs that are squeezed lose their axis where one row is predicted.
            _try(tried, rows[:1], task=task, outputs=outputs)
        draws = not torch.equal(before, torch.default_generator.get_state())
    return Findings(tuple(sites.sites), draws)


def require_last_batch(module: nn.Module, *, inputs: int, rows: int) -> None:
    """Refuse a module that fails on one row (as norms over a batch do) if the last batch of an epoch has only one."""
    if rows != 1:
        return
    try:
        with torch.enable_grad(), seeded(0), DropoutSites(None):
            copy.deepcopy(module).train()(trial_rows(module, inputs=inputs, outputs=1)[:1])
    except _FAILURES as error:
        raise BadInput(
            "a module must train on every batch of an epoch",
            found=f"a last batch of one row, on which it fails ({type(error).__name__}: {error})",
            remedy="Choose another batch_size",
        ) from error


def trial_rows(module: nn.Module, *, inputs: int, outputs: int) -> Tensor:
    """Return made-up rows [N, inputs] between -1 and 1, of the type of the module's parameters."""
    first = next(value for value in module.parameters() if value.is_floating_point())
    rows = outputs + _MORE_ROWS
    return torch.linspace(-1, 1, rows * inputs, dtype=first.dtype, device=first.device).reshape(rows, inputs)


def site_keep_probs(config: Config, *, sites: int) -> tuple[float, ...]:
    """Return keep_prob for each of a module's sites; refuse a value below 1 without sites, or a wrong number."""
    keep_prob = config.regularization.keep_prob
    keeps = keep_prob if isinstance(keep_prob, tuple) else (keep_prob,)
    if not sites and min(keeps, default=1) < 1:
        raise BadInput(
            "a module must have a dropout site to use a keep_prob below 1",
            found=f"keep_prob={keep_prob!r} with a module that drops nothing",
            remedy="Add nn.Dropout layers to the module, or set keep_prob to 1",
        )
    if isinstance(keep_prob, tuple) and sites and len(keep_prob) != sites:
        raise BadInput(
            "keep_prob must have one value for all dropout sites of a module or one per site",
            found=f"{len(keep_prob)} values for {sites} dropout sites",
            remedy="Pass as many values as sites",
        )
    return keeps if len(keeps) == sites else keeps[:1] * sites


def _try(module: nn.Module, values: Tensor, *, task: Task, outputs: int) -> None:
    try:
        found: Any = module(values)
    except _FAILURES as error:
        raise BadInput(
            f"the module must map one tensor [rows, {values.shape[1]}] to its outputs",
            found=f"{type(error).__name__}: {error}",
            remedy="Build it with as many inputs as there are columns; a factory parameter named `inputs` receives "
            "this number",
        ) from error
    rows = len(values)
    fits = [(rows, outputs)] if task == "classification" else [(rows, 1), (rows,)]
    what = f"[rows, {outputs}] logits" if task == "classification" else "[rows, 1] or [rows] values"
    if not isinstance(found, Tensor):
        shown = f"a {type(found).__name__}"
    elif tuple(found.shape) not in fits:
        shown = f"{list(found.shape)} from {rows} rows"
    elif not found.is_floating_point():
        shown = f"outputs of type {found.dtype}"
    elif not found.requires_grad:
        shown = "outputs that do not depend on the parameters"
    else:
        return
    raise BadInput(
        f"the module must return {what} for this target",
        found=shown,
        remedy="Return one real tensor of that shape from forward; a factory parameter named `outputs` receives its "
        "width",
    )


def _require_logits(found: Tensor) -> None:
    if bool((found >= 0).all() and ((found.sum(dim=1) - 1).abs() < _SUM_SLACK).all()):
        raise BadInput(
            "the module must return logits",
            found="outputs that add up to 1 in every row, like those of a softmax",
            remedy="Remove the softmax: the cost applies one, and a second one slows training",
        )


ModuleFactory = Callable[..., nn.Module]

_SEEDS = 2**64


def build(factory: ModuleFactory, *, inputs: int, outputs: int, seed: int) -> nn.Module:
    """Return the module as `seed` initializes it; refuse a factory that cannot be called or has nothing to train."""
    arguments = _arguments(factory, inputs=inputs, outputs=outputs)
    with seeded(seed):
        module: Any = factory(**arguments)
    if not isinstance(module, nn.Module):
        raise _bad("a module factory must return a torch.nn.Module", found=_named(factory, f"returned {_kind(module)}"))
    written = _uncompiled(module)
    tensors = (*written.parameters(), *written.buffers())
    if any(map(is_lazy, tensors)):
        raise BadInput(
            "the module must know its shapes when it is built",
            found=_named(factory, "returned lazy layers"),
            remedy="Add a parameter named `inputs` to the factory, which receives the number of columns",
        )
    if any(value.device.type != "cpu" for value in tensors):
        raise BadInput(
            "the module must be built on the CPU",
            found=_named(factory, "returned tensors on another device"),
            remedy="Let wellfit choose the device",
        )
    if not any(value.requires_grad for value in written.parameters()):
        raise _bad(
            "the module must have parameters to train", found=_named(factory, "returned none that requires a gradient")
        )
    return written


def _uncompiled(module: nn.Module) -> nn.Module:
    """Return the module as it was written: a compiled one hides its dropout and cannot run for several members."""
    module = _written(module)
    for part in list(module.modules()):
        part._compiled_call_impl = None
        for name, child in part._modules.items():
            if child is not None:
                part._modules[name] = _written(child)
    return module


def _written(module: nn.Module) -> nn.Module:
    written = module._modules.get("_orig_mod")
    return module if written is None else written


def other_names(module: nn.Module) -> dict[str, str]:
    """Return each additional name of a tensor that several layers share, with its first name.

    A layer that itself has several names counts once.
    """
    first: dict[int, str] = {}
    others: dict[str, str] = {}
    for place, owner in module.named_modules():
        own = (owner.named_parameters, owner.named_buffers)
        for name, value in (each for listed in own for each in listed(recurse=False, remove_duplicate=False)):
            whole = f"{place}.{name}" if place else name
            if first.setdefault(id(value), whole) != whole:
                others[whole] = first[id(value)]
    return others


def build_own(factory: ModuleFactory, *, inputs: int, outputs: int, seed: int) -> nn.Module:
    """Return the module of `build`; refuse a factory whose modules share tensors or do not depend on the seed alone."""
    first, second = (build(factory, inputs=inputs, outputs=outputs, seed=seed) for _call in range(2))
    places = {_place(value) for value in named_tensors(first).values() if value.numel()}
    others = named_tensors(second)
    for name, value in others.items():
        if _place(value) in places:
            raise BadInput(
                "a module factory must return new parameters and buffers each time it is called",
                found=_named(factory, f"returned the same {name!r} twice"),
                remedy="Build every layer inside the factory",
            )
    for name, value in named_tensors(first).items():
        if name not in others or not torch.equal(value, others[name]):
            raise BadInput(
                "a module's initial parameters must depend only on torch's seed",
                found=_named(factory, f"gave {name!r} two different initial values with one seed"),
                remedy="Draw them from torch's own random generator",
            )
    return first


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator with `seed`, and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed % _SEEDS)
        yield


def _arguments(factory: ModuleFactory, *, inputs: int, outputs: int) -> dict[str, int]:
    if isinstance(factory, nn.Module) or not callable(factory):
        raise BadInput(
            "module must be a factory that returns a new torch.nn.Module each time it is called",
            found=f"module={_kind(factory)}",
            remedy="Pass a function that builds the module, such as `def make_net(inputs, outputs): ...`",
        )
    parameters = _parameters(factory)
    known = {"inputs": inputs, "outputs": outputs}
    for name, parameter in parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        positional = parameter.kind is parameter.POSITIONAL_ONLY
        if not variadic and parameter.default is parameter.empty and (positional or name not in known):
            raise BadInput(
                "a module factory must take inputs= and outputs=, or no arguments",
                found=_named(factory, f"requires {name!r}"),
                remedy="Name its parameters inputs and outputs, and give all others defaults",
            )
    return {name: value for name, value in known.items() if name in parameters}


def _parameters(factory: ModuleFactory) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except ValueError:
        # Some of Python's own types have no signature; their results are checked instead.
        return {}


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a module by name; one that two layers share counts once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _place(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _bad(rule: str, *, found: str) -> BadInput:
    return BadInput(rule, found=found, remedy="Return a new module with its own layers from the factory")


def _named(factory: ModuleFactory, what: str) -> str:
    return f"module={getattr(factory, '__qualname__', _kind(factory))}, which {what}"


def _kind(value: object) -> str:
    return value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"


_NORM = re.compile(r"Norm(\dd)?$")
"""Ending of the class name of a norm or of one of its ancestors, which covers the user's own norms too."""


@dataclass(frozen=True)
class DecayEntry:
    """One trained parameter of a module."""

    name: str
    shape: tuple[int, ...]
    spared: str
    """The reason why it is not decayed ("embedding", "norm", "bias" or "vector"); empty if it is."""

    @property
    def decayed(self) -> bool:
        """Whether lambda and L1 act on it."""
        return not self.spared


def decay_list(module: nn.Module) -> tuple[DecayEntry, ...]:
    """Return every trained parameter, in the module's own order; one that two layers share counts once.

    By the rule of Yandex's tabular baselines and GPT-2's training, a parameter is not decayed if it is part of an
    embedding or a norm layer, is called a bias, or is a vector (a scale); a tied one, if this holds for any of its
    owners.
    """
    reasons: dict[int, str] = {}
    for owner in module.modules():
        for name, value in owner.named_parameters(recurse=False, remove_duplicate=False):
            reasons[id(value)] = reasons.get(id(value), "") or _spared(owner, name, value)
    return tuple(
        DecayEntry(name, tuple(value.shape), reasons[id(value)])
        for name, value in module.named_parameters()
        if value.requires_grad
    )


def _spared(owner: nn.Module, name: str, value: Tensor) -> str:
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag) or "embed" in name.lower():
        return "embedding"
    if any(_NORM.search(one.__name__) for one in type(owner).__mro__):
        return "norm"
    if "bias" in name:
        return "bias"
    return "vector" if value.dim() < 2 else ""
