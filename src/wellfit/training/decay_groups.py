"""The parameters of a module that are W of the cost: weights, without biases, norms and embeddings.

The rule of Yandex's tabular baselines and of GPT-2's training, stated for any module: a parameter is spared when it
belongs to an embedding, belongs to a norm layer, is called a bias, or is a vector (a scale). A class is a norm by the
end of its name, its ancestors' names included, so that norms of the user's own are known as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

_NORM = re.compile(r"Norm(\dd)?$")


@dataclass(frozen=True)
class DecayEntry:
    """One trained parameter of a module.

    Attributes:
        spared: why decay leaves it alone ("embedding", "norm", "bias" or "vector"); empty where it is decayed.
    """

    name: str
    shape: tuple[int, ...]
    spared: str

    @property
    def decayed(self) -> bool:
        """True if lambda and L1 act on it."""
        return not self.spared


def decay_list(module: nn.Module) -> tuple[DecayEntry, ...]:
    """Return every trained parameter, in the module's own order; one that two layers share counts once.

    A tied parameter is spared when any of its owners spares it.
    """
    reasons: dict[int, str] = {}
    for owner, name, value in _owned(module):
        reasons[id(value)] = reasons.get(id(value), "") or _spared(owner, name, value)
    return tuple(
        DecayEntry(name, tuple(value.shape), reasons[id(value)])
        for name, value in module.named_parameters()
        if value.requires_grad
    )


def _owned(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    for owner in module.modules():
        for name, value in owner.named_parameters(recurse=False, remove_duplicate=False):
            yield owner, name, value


def _spared(owner: nn.Module, name: str, value: Tensor) -> str:
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag) or "embed" in name.lower():
        return "embedding"
    if any(_NORM.search(one.__name__) for one in type(owner).__mro__):
        return "norm"
    if "bias" in name:
        return "bias"
    return "vector" if value.dim() < 2 else ""
