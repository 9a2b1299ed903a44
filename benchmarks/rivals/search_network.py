"""The network of a search, trained by the loop that was tuned by hand, and measured where a pruner wants to know.

Numbers, their bins and one-hot categories come encoded; only the embedded categories are looked up while training.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

Report = Callable[[int, float], bool]
"""(epoch, dev log-loss) -> whether to go on."""
EMBEDDING_SIZE = 8


@dataclass(frozen=True)
class Part:
    """Rows: dense [N, Din], codes [N, C] of the embedded categories, target [N]."""

    dense: Tensor
    codes: Tensor
    target: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Part:
        return Part(self.dense[rows], self.codes[rows], self.target[rows])


@dataclass(frozen=True)
class Task:
    """What is searched on; `levels` are the embedded categories' codes, `checks` the epochs that are reported."""

    train: Part
    dev: Part
    levels: tuple[int, ...]
    classes: int
    widths: tuple[int, ...]
    epochs: int
    batch: int
    checks: tuple[int, ...]


def read_task(folder: Path) -> Task:
    """Read what `sweep_vs_optuna.py` laid out."""
    body = json.loads((folder / "task.json").read_text())
    parts = []
    for name in ("train", "dev"):
        with np.load(folder / f"{name}.npz") as arrays:
            parts.append(Part(*(torch.from_numpy(arrays[field]) for field in ("dense", "codes", "target"))))
    epochs = body["epochs"]
    # Optuna's halving compares at the powers of four, and a trial's value is that of its end.
    checks = {4**rung for rung in range(16) if 4**rung < epochs} | {epochs}
    return Task(
        *parts,
        levels=tuple(body["levels"]),
        classes=body["classes"],
        widths=tuple(body["widths"]),
        epochs=epochs,
        batch=body["batch"],
        checks=tuple(sorted(checks)),
    )


class Net(nn.Module):
    """Hidden layers of ReLU units with dropout, over dense inputs and embeddings."""

    def __init__(self, task: Task, *, keep_prob: float) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(levels, EMBEDDING_SIZE, padding_idx=0) for levels in task.levels)
        width = task.train.dense.shape[1] + EMBEDDING_SIZE * len(task.levels)
        layers: list[nn.Module] = []
        for wide in task.widths:
            linear = nn.Linear(width, wide)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU(), nn.Dropout(1 - keep_prob)]
            width = wide
        last = nn.Linear(width, task.classes)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, rows: Part) -> Tensor:
        """Return the logits [N, classes]."""
        looked_up = [table(rows.codes[:, place]) for place, table in enumerate(self.embeddings)]
        return self.layers(torch.cat([rows.dense, *looked_up], dim=1) if looked_up else rows.dense)

    def groups(self, decay: float) -> list[dict[str, object]]:
        """Return the parameters for AdamW: the matrices of the linear layers decay, nothing else does."""
        matrices = [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]
        known = {id(matrix) for matrix in matrices}
        others = [value for value in self.parameters() if id(value) not in known]
        return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def train(task: Task, knobs: Mapping[str, float], report: Report) -> float | None:
    """Train one network; return its dev log-loss at the end, or None where `report` ended it."""
    network = Net(task, keep_prob=knobs["keep_prob"])
    rows = len(task.train.target)
    optimizer = torch.optim.AdamW(network.groups(knobs["l2"] / rows), lr=knobs["lr"], fused=True)
    updates, update = task.epochs * math.ceil(rows / task.batch), 0
    loss = math.nan
    for epoch in range(1, task.epochs + 1):
        shuffled = task.train[torch.randperm(rows)]
        for start in range(0, rows, task.batch):
            batch = shuffled[start : start + task.batch]
            for group in optimizer.param_groups:
                group["lr"] = knobs["lr"] * (1 + math.cos(math.pi * update / updates)) / 2
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(network(batch), batch.target).backward()
            optimizer.step()
            update += 1
        if epoch in task.checks:
            loss = dev_loss(network, task.dev)
            if not report(epoch, loss):
                return None
    return loss


@torch.no_grad()
def dev_loss(network: Net, dev: Part) -> float:
    """Return the mean log-loss of the dev rows, without dropout."""
    network.eval()
    loss = nn.functional.cross_entropy(network(dev), dev.target).item()
    network.train()
    return loss
