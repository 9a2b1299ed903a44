"""The name of a user's module in a journal: what its code says, so that other code is another configuration."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from dataclasses import dataclass, replace

from torch import nn

from wellfit.config import Config, Network
from wellfit.data.prepare import Prepared
from wellfit.exceptions import BadInput
from wellfit.training.module import module_network
from wellfit.training.module_factory import ModuleFactory

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Where an object stands in memory, as Python prints it: another place in every process."""


@dataclass(frozen=True)
class ModuleSource:
    """Which code a module comes from.

    Attributes:
        name: of the factory, as people call it.
        sha256: of the source of the factory and of every class of the module that is not torch's, of the layers and
            shapes that the module prints, and of the arguments where the factory is a `functools.partial`.
            Functions that these call are not looked into.
    """

    name: str
    sha256: str


def named_after(factory: ModuleFactory, config: Config, *, data: Prepared) -> Config:
    """Return `config` with the name of the module's code in place of the built-in network's knobs.

    Raises:
        BadInput: the factory or its module breaks a rule (module_factory.py), or its source cannot be read.
    """
    network = module_network(data, factory, seed=config.seed)
    source = source_of(factory, network.module)
    return replace(config, network=Network(module=f"{source.name}@{source.sha256[:16]}"))


def source_of(factory: ModuleFactory, module: nn.Module) -> ModuleSource:
    """Return where `module`, which `factory` returned, comes from.

    Raises:
        BadInput: the source cannot be read, as that of a function typed into a bare console.
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
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return ModuleSource(owner.__qualname__, digest)


def _source(owner: object) -> str:
    try:
        return inspect.getsource(owner)  # type: ignore[arg-type]
    except (OSError, TypeError) as error:
        raise BadInput(
            "the source of a module can be read, since it names the configuration",
            found=f"module={getattr(owner, '__qualname__', owner)!r}: {error}",
            remedy="Define the factory and its classes in a file or a notebook",
        ) from error
