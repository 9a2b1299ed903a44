"""Protection of everything that checks may change: the network, its buffers and the random generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.generators import kept_generators

_CONTAINERS = (dict, list, set)


@contextmanager
def kept(*roots: nn.Module) -> Iterator[None]:
    """Restore modules, their tensors and every random generator at the end, even after an exception.

    Inside, parameters and buffers contain copies, and the caller's tensors do not change.
    """
    modules = list({id(one): one for root in roots for one in root.modules()}.values())
    attributes = []
    for one in modules:
        # Forward may append to the containers among a module's attributes.
        contents = {name: value.copy() for name, value in vars(one).items() if isinstance(value, _CONTAINERS)}
        attributes.append((one, dict(vars(one)), contents))
    parameters = {id(one): one for root in roots for one in root.parameters()}.values()
    tensors = [(one, one.data, one.grad, one.requires_grad) for one in parameters]
    dtype, enabled = torch.get_default_dtype(), torch.is_grad_enabled()
    with kept_generators():
        try:
            _borrow(modules, tensors)
            yield
        finally:
            for value, data, grad, required in tensors:
                value.grad = None
                value.data = data
                value.requires_grad_(required)
                value.grad = grad
            for module, known, contents in attributes:
                _restore(module, known, contents)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(enabled)


def seed_all(seed: int) -> None:
    """Seed every generator from which a network may draw; use it only inside `kept`."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the network may draw from it


def wake(*roots: nn.Module) -> None:
    """Give random values to constant parameters, such as zeros with which a network starts on purpose.

    A last layer, a gate or a branch that starts at zero hides everything before it until the first update.
    """
    for root in roots:
        for value in root.parameters():
            if value.is_floating_point() and value.numel() and bool((value == value.flatten()[0]).all()):
                noise = torch.randn_like(value) if value.dim() > 1 else 0.1 * torch.randn_like(value)
                value.data += noise / max(1, value[0].numel() if value.dim() > 1 else 1) ** 0.5


def _borrow(modules: list[nn.Module], tensors: list[tuple[nn.Parameter, Tensor, Tensor | None, bool]]) -> None:
    """Replace values by copies, where tensors that share memory still share it."""
    copies: dict[tuple[Any, ...], Tensor] = {}

    def copy(value: Tensor) -> Tensor:
        place = (value.data_ptr(), tuple(value.shape), value.stride(), value.dtype)
        return copies.setdefault(place if value.numel() else (id(value),), value.detach().clone())

    for value, data, _, _ in tensors:
        value.grad = None
        value.data = copy(data)
    for module in modules:
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = copy(buffer)
    torch.set_grad_enabled(True)


def _restore(module: nn.Module, known: dict[str, Any], contents: dict[str, Any]) -> None:
    vars(module).clear()
    vars(module).update(known)
    for name, content in contents.items():
        container = vars(module)[name]
        container.clear()
        if isinstance(container, list):
            container.extend(content)
        else:
            container.update(content)
