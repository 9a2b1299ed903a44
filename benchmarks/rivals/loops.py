"""Three loops that train K small networks side by side, each network with its own lambda and keep_prob.

`by_hand` is what most tutorials show; `tuned` is what is left of it once it has been profiled; `stacked` trains all
networks as one with torch.func.vmap. All make the same updates: ReLU networks of two hidden layers, AdamW with the
decay lambda/m, a cosine from lr to 0, and cross-entropy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class Member:
    """The knobs that differ between networks; `decay` is lambda / m."""

    decay: float
    keep_prob: float


@dataclass(frozen=True)
class Job:
    """What every network is trained on, and how long.

    Attributes:
        inputs, target: [m, D] and [m] class codes.
        width: of both hidden layers.
        batch: rows of an update.
        updates: of every network.
        lr: where the cosine starts.
    """

    inputs: Tensor
    target: Tensor
    width: int
    batch: int
    updates: int
    lr: float = 1e-3
    classes: int = 2

    def network(self, *, keep_prob: float) -> nn.Sequential:
        """Return a network as a user writes it."""
        return nn.Sequential(
            nn.Linear(self.inputs.shape[1], self.width),
            nn.ReLU(),
            nn.Dropout(1 - keep_prob),
            nn.Linear(self.width, self.width),
            nn.ReLU(),
            nn.Dropout(1 - keep_prob),
            nn.Linear(self.width, self.classes),
        )

    def rate(self, update: int) -> float:
        """Return the learning rate of an update."""
        return self.lr * (1 + math.cos(math.pi * update / self.updates)) / 2

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield as many batches as updates: each epoch is brought into its order once, and then sliced."""
        left = self.updates
        while left > 0:
            order = torch.randperm(len(self.target))
            inputs, target = self.inputs[order], self.target[order]
            for start in range(0, min(len(target), left * self.batch), self.batch):
                yield inputs[start : start + self.batch], target[start : start + self.batch]
                left -= 1


def by_hand(job: Job, members: Sequence[Member]) -> None:
    """Train one network after the other with a DataLoader, AdamW, a scheduler and a running loss."""
    for member in members:
        network = job.network(keep_prob=member.keep_prob).train()
        loader = DataLoader(TensorDataset(job.inputs, job.target), batch_size=job.batch, shuffle=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=job.lr, weight_decay=member.decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=job.updates)
        cost = nn.CrossEntropyLoss()
        made, running = 0, 0.0
        while made < job.updates:
            for inputs, target in loader:
                optimizer.zero_grad()
                loss = cost(network(inputs), target)
                loss.backward()
                optimizer.step()
                schedule.step()
                running += loss.item()
                made += 1
                if made == job.updates:
                    break


def tuned(job: Job, members: Sequence[Member]) -> None:
    """Train one network after the other: slices of a permutation, fused AdamW, nothing read back."""
    for member in members:
        network = job.network(keep_prob=member.keep_prob).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=job.lr, weight_decay=member.decay, fused=True)
        group = optimizer.param_groups[0]
        for update, (inputs, target) in enumerate(job.batches()):
            group["lr"] = job.rate(update)
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(network(inputs), target).backward()
            optimizer.step()


def stacked(job: Job, members: Sequence[Member]) -> None:
    """Train all networks as one: torch.func.vmap over their stacked parameters, all on the same batches.

    nn.Dropout would take one rate for all, so that masks are drawn against each network's own keep_prob. AdamW knows
    one decay only: it is applied beside the fused step, to the stacked parameters.
    """
    networks = [job.network(keep_prob=1.0) for _ in members]
    parameters, _ = torch.func.stack_module_state(networks)
    skeleton = networks[0].to("meta")
    keeps = torch.tensor([member.keep_prob for member in members])
    decays = torch.tensor([member.decay for member in members])
    optimizer = torch.optim.AdamW(parameters.values(), lr=job.lr, weight_decay=0.0, fused=True)
    group = optimizer.param_groups[0]

    def loss(weights: dict[str, Tensor], keep: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
        values, target = batch
        for place in (0, 3):
            layer = {name: weights[f"{place}.{name}"] for name in ("weight", "bias")}
            values = torch.func.functional_call(skeleton[place], layer, values).relu()
            values = values * (torch.rand_like(values) < keep) / keep
        layer = {name: weights[f"6.{name}"] for name in ("weight", "bias")}
        return nn.functional.cross_entropy(torch.func.functional_call(skeleton[6], layer, values), target)

    losses = torch.func.vmap(loss, in_dims=(0, 0, None), randomness="different")
    for update, batch in enumerate(job.batches()):
        group["lr"] = job.rate(update)
        optimizer.zero_grad(set_to_none=True)
        losses(parameters, keeps, batch).sum().backward()
        with torch.no_grad():
            for value in parameters.values():
                value.mul_((1 - group["lr"] * decays).view(-1, *[1] * (value.dim() - 1)))
        optimizer.step()


LOOPS = {"user's loop": by_hand, "tuned by hand": tuned, "torch.func.vmap": stacked}
