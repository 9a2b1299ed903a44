"""Calling a user's module factory, and refusing what cannot be trained as it is, before any training starts.

The convention: parameters of the factory that are called `inputs` and `outputs` are given the number of columns of
the tensor that the module will receive, and of the outputs that it must return; any others keep their defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from wellfit.exceptions import BadInput

ModuleFactory = Callable[..., nn.Module]

_SEEDS = 2**64


def build(factory: ModuleFactory, *, inputs: int, outputs: int, seed: int) -> nn.Module:
    """Return the module that `seed` starts from: what the factory returns after `torch.manual_seed(seed)`.

    Raises:
        BadInput: `factory` cannot be called by the convention, or returns no trainable module.
    """
    arguments = _arguments(factory, inputs=inputs, outputs=outputs)
    with seeded(seed):
        module: Any = factory(**arguments)
    if not isinstance(module, nn.Module):
        raise _bad("a module factory returns a torch.nn.Module", found=_named(factory, f"returned {_kind(module)}"))
    if any(is_lazy(value) for value in _tensors(module)):
        raise BadInput(
            "module must know its shapes when it is built",
            found=_named(factory, "returned lazy layers"),
            remedy="Give the factory a parameter called inputs: it receives the number of columns",
        )
    if any(value.device.type != "cpu" for value in _tensors(module)):
        raise BadInput(
            "module is built on the CPU",
            found=_named(factory, "returned tensors elsewhere"),
            remedy="Leave the device to wellfit",
        )
    if not any(value.requires_grad for value in module.parameters()):
        raise _bad("module needs parameters to train", found=_named(factory, "returned none that require a gradient"))
    return module


def require_own_parameters(factory: ModuleFactory, *, inputs: int, outputs: int, seed: int) -> None:
    """Refuse a factory whose modules share tensors, or do not start from the seed alone.

    Raises:
        BadInput: two calls share a tensor, or differ although torch's generator was at the same seed.
    """
    first, second = (build(factory, inputs=inputs, outputs=outputs, seed=seed) for _call in range(2))
    places = {_place(value): name for name, value in _named_tensors(first) if value.numel()}
    for name, value in _named_tensors(second):
        if _place(value) in places:
            raise BadInput(
                "a module factory returns new parameters and buffers at each call",
                found=_named(factory, f"returned the same {name!r} twice"),
                remedy="Build every layer inside the factory",
            )
    others = dict(_named_tensors(second))
    for name, value in _named_tensors(first):
        if name not in others or not torch.equal(value, others[name]):
            raise BadInput(
                "a module's first parameters are a function of torch's seed",
                found=_named(factory, f"gave {name!r} two different starts from one seed"),
                remedy="Draw them from torch's own generator",
            )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Put torch's generator of the CPU at `seed`, and back where it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed % _SEEDS)
        yield


def _arguments(factory: ModuleFactory, *, inputs: int, outputs: int) -> dict[str, int]:
    if isinstance(factory, nn.Module) or not callable(factory):
        raise BadInput(
            "module must be a factory, which returns a new torch.nn.Module at each call",
            found=f"module={_kind(factory)}",
            remedy="Give a function that builds the module, such as `def make_net(inputs, outputs): ...`",
        )
    parameters = _parameters(factory)
    known = {"inputs": inputs, "outputs": outputs}
    for name, parameter in parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        positional = parameter.kind is parameter.POSITIONAL_ONLY
        if not variadic and parameter.default is parameter.empty and (positional or name not in known):
            raise BadInput(
                "a module factory is called with inputs= and outputs=, or with nothing",
                found=_named(factory, f"needs {name!r}"),
                remedy="Call its parameters inputs and outputs, and give the others defaults",
            )
    return {name: value for name, value in known.items() if name in parameters}


def _parameters(factory: ModuleFactory) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except ValueError:
        # Some of Python's own types do not tell; what they return will.
        return {}


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _place(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _bad(rule: str, *, found: str) -> BadInput:
    return BadInput(rule, found=found, remedy="Return a module with layers of its own from the factory")


def _named(factory: ModuleFactory, what: str) -> str:
    return f"module={getattr(factory, '__qualname__', _kind(factory))}, which {what}"


def _kind(value: object) -> str:
    return value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"
