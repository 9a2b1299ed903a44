"""Scaled dot-product attention (Vaswani et al., 2017), with its dropout left to the caller.

torch draws the mask of attention weights inside its own kernel, where nobody can give it a noise of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


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
    """Return softmax(Q K' * scale + mask), dropped by `drop`, times V; the arguments are those of torch's function.

    Args:
        query: [..., L, E].
        key: [..., S, E].
        value: [..., S, V].
        attn_mask: broadcastable to [..., L, S]: True where a query may look, or a number that is added.
        dropout_p: not read.
        is_causal: whether a query sees the keys up to its own place only.
        drop: of the weights [..., L, S].
        scale: 1/sqrt(E) where None.
        enable_gqa: whether groups of queries' heads share one head of keys and values.
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
