"""How a device computes products, and what memory it has left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from wellfit.device import BF16, TF32, Device


@contextlib.contextmanager
def arithmetic(device: Device) -> Iterator[None]:
    """Compute products as the device was asked to, and leave torch's own setting as it was."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.precision == TF32 else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def product(device: Device, left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix products of two stacks of matrices."""
    if device.precision == BF16:
        return torch.matmul(left.bfloat16(), right.bfloat16()).to(left.dtype)
    return torch.matmul(left, right)


def give_back(device: Device) -> None:
    """Return memory that torch keeps for later: who plans the next stack, maybe in another process, sees it as used."""
    if device.is_gpu:
        torch.cuda.empty_cache()


def free_bytes(device: Device) -> int | None:
    """Return the memory that nobody uses there; None where that is the machine's own."""
    return torch.cuda.mem_get_info()[0] if device.is_gpu else None
