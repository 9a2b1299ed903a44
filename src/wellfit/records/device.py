"""Where a stack is trained when it is not on the cores of this machine, and how exactly products are computed there."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.base.serialize import Record
from wellfit.exceptions import BadInput

CPU = "cpu"
DEVICES = (CPU, "cuda")
FLOAT32, TF32, BF16 = PRECISIONS = ("float32", "tf32", "bf16")
"""Of matrix products: as they are; with 10 bits of each factor; with 7. Sums, steps and moments stay float32."""


@dataclass(frozen=True)
class Device(Record):
    """An accelerator as torch calls it ("cpu" runs the same code here, slowly: its tests do), and one of PRECISIONS."""

    name: str
    precision: str = FLOAT32

    @property
    def is_gpu(self) -> bool:
        """True if it is another chip than the one that this runs on."""
        return self.name != CPU


def device_of(name: str, precision: str) -> Device | None:
    """Return the device that is asked for; None for this machine's own cores, BadInput for one that is missing."""
    if name not in DEVICES:
        raise BadInput(
            f"device must be one of {', '.join(DEVICES)}", found=f"device={name!r}", remedy="Give one of them"
        )
    if precision not in PRECISIONS:
        raise BadInput(
            f"precision must be one of {', '.join(PRECISIONS)}",
            found=f"precision={precision!r}",
            remedy="Give one of them",
        )
    if name == CPU:
        if precision != FLOAT32:
            raise BadInput(
                "on the cores of this machine the precision must be float32",
                found=f"precision={precision!r} with device={name!r}",
                remedy="Leave the precision out, or give a device that has it",
            )
        return None
    import torch

    if not torch.cuda.is_available():
        raise BadInput(
            "the device must be there, and this torch built for it",
            found=f"device={name!r}, torch {torch.__version__} sees none",
            remedy="Install a torch with CUDA, or leave the device out",
        )
    return Device(name, precision)
