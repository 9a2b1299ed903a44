"""Dropout inside a user's module, with wellfit's own noise; it is found while the module runs, not by layer names.

A site is a call that drops units: of `torch.nn.functional.dropout` and the like, or of attention and recurrent layers
with a dropout above 0. Sites are numbered in the order of the calls, and use the rates of the config, not their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from wellfit.base.typing import Floats
from wellfit.training.noise import Address, kept, noise_block, threshold_of

SITE_LAYERS = 1_000
"""The first of the layer numbers that address the noise of sites."""
_ALPHA = -1.7580993408473766
"""SELU's limit at minus infinity, to which alpha dropout sets dropped units (Klambauer et al., 2017)."""


def _noise_at(at: Address, shape: Sequence[int], *, site: int) -> npt.NDArray[np.uint16]:
    """Return the noise of `shape` from which the mask of one site is made; its first axis is the block's rows."""
    rows, width, layer = (shape[0] if shape else 1), math.prod(shape[1:]), SITE_LAYERS + site
    noise = noise_block(seed=at.seed, stream=at.stream, update=at.update, layer=layer, rows=rows, width=width)
    return noise.reshape(tuple(shape))


@dataclass(frozen=True)
class SiteMasks(Address):
    """The masks of one member at one update (from 0); a site beyond the last one keeps as many units as the last."""

    keep_probs: tuple[float, ...]

    def share(self, site: int) -> float:
        """Return the share of units kept at a site."""
        return self.keep_probs[min(site, len(self.keep_probs) - 1)] if self.keep_probs else 1.0

    def mask(self, shape: Sequence[int], *, site: int) -> Tensor:
        """Return booleans of `shape`: True where a unit is kept."""
        return torch.from_numpy(kept(_noise_at(self, shape, site=site), share=self.share(site)))


@dataclass(frozen=True)
class StackNoise(Address):
    """The noise of one update, which all members share, and the share of units [K, S] that each keeps at each site."""

    keep_probs: Floats

    def of_member(self, member: int) -> SiteMasks:
        """Return the masks of one member."""
        return SiteMasks(self.seed, self.stream, self.update, tuple(self.keep_probs[member].tolist()))

    def only(self, member: int) -> StackNoise:
        """Return the noise of a stack that has only this member."""
        return replace(self, keep_probs=self.keep_probs[member : member + 1])

    def tensors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the share of units kept and the highest noise that keeps one, both [K, S] with at least one site."""
        # A site that comes up only after the trial of a module without any keeps its units.
        keeps = self.keep_probs if self.keep_probs.shape[1] else np.ones((len(self.keep_probs), 1))
        return torch.from_numpy(keeps).to(dtype), torch.from_numpy(threshold_of(keeps).astype(np.int32))


@dataclass(frozen=True)
class StackMasks:
    """The masks of one member inside `torch.vmap`: its shares of units kept, and highest noise that keeps one, [S]."""

    noise: StackNoise
    keeps: Tensor
    thresholds: Tensor

    def share(self, site: int) -> Tensor:
        """Return the share of units kept [] at a site; beyond the last site, that of the last one."""
        return self.keeps[min(site, len(self.keeps) - 1)]

    def mask(self, shape: Sequence[int], *, site: int) -> Tensor:
        """Return booleans of `shape`: True where a unit is kept."""
        # torch cannot compare unsigned 16-bit integers.
        noise = torch.from_numpy(_noise_at(self.noise, shape, site=site).astype(np.int32))
        return noise <= self.thresholds[min(site, len(self.thresholds) - 1)]


@dataclass(frozen=True)
class Site:
    """One place where a module drops units: a function of torch, opaque if torch itself draws the mask."""

    function: str
    opaque: bool = False


class DropoutSites(TorchFunctionMode):
    """A context manager: while it is active, every dropout call uses the rates and the noise of `masks`.

    With None, every unit is kept. With `always`, units are dropped in evaluation too (Monte-Carlo dropout). `mapped` is
    True inside `torch.vmap`, which has no rule for torch's attention on the CPU.
    """

    def __init__(self, masks: SiteMasks | StackMasks | None, *, always: bool = False, mapped: bool = False) -> None:
        super().__init__()
        # The calls so far that dropped units, or would have if fewer were kept.
        self.sites: list[Site] = []
        self._masks = masks
        self._always = always
        self._mapped = mapped

    def __torch_function__(  # noqa: PLR0917 - the signature is torch's
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replace calls that drop units, and leave all others as they are."""
        given = dict(kwargs or {})
        if func in _DROPOUTS:
            return self._dropout(func, args, given)
        if func in _RECURRENT:
            return func(*self._recurrent(func, args), **given)
        if func is functional.scaled_dot_product_attention:
            if _argument(args, given, place=4, name="dropout_p"):
                return attend(*args, **given, drop=self._site("scaled_dot_product_attention"))
            if self._mapped:
                return attend(*args, **given, drop=lambda weights: weights)
        if func is functional.multi_head_attention_forward:
            given["training"] = given["training"] or self._always
            with self:
                return _MULTI_HEAD(*args, **given)
        return func(*args, **given)

    def _dropout(self, func: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> Tensor:
        values: Tensor = args[0] if args else given["input"]
        flag = "train" if "train" in given else "training"
        if not (self._always or _argument(args, given, place=2, name=flag)):
            return values
        inplace = func.__name__.endswith("_") or _argument(args, given, place=3, name="inplace")
        dropped = self._site(func.__name__)(values)
        return values.copy_(dropped) if inplace and dropped is not values else dropped

    def _recurrent(self, func: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
        # Torch draws the masks inside: it gets the rate of the config.
        # (input, hidden, weights, biases?, layers, rate, training, ...), packed with one argument more in front.
        place = 5 if isinstance(args[3], bool) else 6
        layers, rate, training = args[place - 1 : place + 2]
        if not (training or self._always) or rate == 0 or layers == 1:
            return args
        share = self._masks.share(len(self.sites)) if self._masks else 1.0
        self.sites.append(Site(func.__name__, opaque=True))
        return (*args[:place], 1 - share, True, *args[place + 2 :])

    def _site(self, name: str) -> Callable[[Tensor], Tensor]:
        """Open the next site, and return the function that drops its units."""
        site = len(self.sites)
        self.sites.append(Site(name))
        share = self._masks.share(site) if self._masks else 1.0

        def drop(values: Tensor) -> Tensor:
            if self._masks is None or (isinstance(share, float) and share == 1):
                return values
            shape = _mask_shape(name, values)
            mask = self._masks.mask(shape, site=site).to(values.dtype)
            mask = mask.reshape(*shape, *(1,) * (values.dim() - len(shape)))
            if "alpha" not in name:
                return values * (mask / share)
            # To SELU's limit, then scaled and shifted so that mean 0 and variance 1 stay (Klambauer et al., 2017).
            scale = (share * (1 + _ALPHA**2 * (1 - share))) ** -0.5
            return scale * (values * mask + _ALPHA * (1 - mask)) - scale * _ALPHA * (1 - share)

        return drop


def _mask_shape(name: str, values: Tensor) -> tuple[int, ...]:
    """Return the shape of a mask: of the values, or of whole channels where these are dropped as one."""
    if name in _CHANNELS and values.dim() == _CHANNELS[name]:
        return tuple(values.shape[:1])
    return tuple(values.shape[:2]) if name in _CHANNELS or "feature" in name else tuple(values.shape)


def _argument(args: tuple[Any, ...], given: Mapping[str, Any], *, place: int, name: str) -> Any:
    """Return an argument by its position or its name; None if it was left out."""
    return args[place] if len(args) > place else given.get(name)


def _unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of one of torch's functions that does not pass itself on to an active mode again.

    A mode is consulted before a function begins; its body can run with the mode on only if it is not consulted again.
    """
    assert isinstance(function, FunctionType)
    inside = {**function.__globals__, "has_torch_function": lambda _tensors: False}
    copy = FunctionType(function.__code__, inside, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_MULTI_HEAD = _unchecked(functional.multi_head_attention_forward)
_CHANNELS: Mapping[str, int] = {"dropout1d": 2, "dropout2d": 0, "dropout3d": 4}
"""Functions that drop channels, and the number of dimensions that they take for a row without a batch (0: never)."""
_DROPOUTS = frozenset(
    getattr(home, name)
    for home, names in (
        (functional, "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"),
        (torch, "dropout dropout_ feature_dropout feature_dropout_ alpha_dropout alpha_dropout_"),
        (torch, "feature_alpha_dropout feature_alpha_dropout_"),
    )
    for name in names.split()
)
_RECURRENT = frozenset((torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu))


def attend(  # noqa: PLR0917 - the signature is torch's
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - `drop` takes its place
    is_causal: bool = False,
    *,
    drop: Callable[[Tensor], Tensor],
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(Q K' * scale + mask), its weights [..., L, S] dropped by `drop`, times V (Vaswani et al., 2017).

    The other arguments are those of torch's function, which would drop the weights itself.
    """
    if enable_gqa:
        heads = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(heads, -3), value.repeat_interleave(heads, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return drop(scores.softmax(-1)) @ value
