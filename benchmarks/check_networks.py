"""Twelve kinds of networks with data that they can learn, and odd ones that are sound: what check_cases.py spoils."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

ROWS = 192
CLASSES = 4


@dataclass
class Problem:
    """One call of `wf.check`: a network, its rows, and what goes with them."""

    network: nn.Module
    rows: Tensor
    target: Tensor
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    optimizer: torch.optim.Optimizer | None = None
    dev: tuple[Tensor, Tensor] | None = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `wf.check`."""
        return {"loss": self.loss, "optimizer": self.optimizer, "dev": self.dev}


def classes_of(score: Tensor) -> Tensor:
    """Divide scores [rows] into classes of equal size."""
    edges = torch.quantile(score, torch.linspace(0, 1, CLASSES + 1)[1:-1])
    return torch.bucketize(score, edges)


def table(columns: int = 12) -> tuple[Tensor, Tensor]:
    """Standardized columns, and classes that some of them decide."""
    rows = torch.randn(ROWS, columns)
    rows = (rows - rows.mean(0)) / rows.std(0, correction=0)
    return rows, classes_of(rows[:, 0] + rows[:, 1] * rows[:, 2])


def pictures(side: int = 12, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Noise with a bright patch, whose place is the class."""
    rows, target = torch.randn(ROWS, channels, side, side), torch.arange(ROWS) % CLASSES
    half = side // 2
    for row, place in enumerate(target.tolist()):
        top, left = half * (place // 2), half * (place % 2)
        rows[row, :, top : top + half, left : left + half] += 1
    return (rows - rows.mean()) / rows.std(), target


def series(steps: int = 10, width: int = 6) -> tuple[Tensor, Tensor]:
    """Series of numbers, and classes of their sum."""
    rows = torch.randn(ROWS, steps, width)
    return rows, classes_of(rows[:, :, 0].sum(1))


def words(steps: int = 12, vocabulary: int = 40) -> tuple[Tensor, Tensor]:
    """Series of token numbers, and classes by how many are large."""
    rows = torch.randint(0, vocabulary, (ROWS, steps))
    return rows, classes_of((rows >= vocabulary // 2).sum(1) + 0.01 * torch.rand(ROWS))


class Recurrent(nn.Module):
    """A recurrent layer, and a linear one on its last step."""

    def __init__(self, layer: nn.Module, width: int = 32, outputs: int = CLASSES) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        states: Tensor = self.layer(rows)[0]
        logits: Tensor = self.head(states[:, -1])
        return logits


class Block(nn.Module):
    """A residual block of two convolutions with batch norm, as torchvision's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, rows: Tensor) -> Tensor:
        """Return rows plus what the block makes of them."""
        return functional.relu(rows + self.norm2(self.second(functional.relu(self.norm1(self.first(rows))))))


class Attending(nn.Module):
    """A transformer encoder over embedded steps, its mean, and a linear layer."""

    def __init__(self, embed: nn.Module, steps: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed, width = embed, 32
        self.places = nn.Parameter(torch.randn(1, steps, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.norm(self.encoder(self.embed(rows) + self.places)).mean(1))
        return logits


class Patches(nn.Module):
    """Pictures cut into patches [rows, patches, width]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, width, 4, stride=4)

    def forward(self, rows: Tensor) -> Tensor:
        """Return embedded patches."""
        patches: Tensor = self.cut(rows).flatten(2).transpose(1, 2)
        return patches


class Mixer(nn.Module):
    """One MLP over steps, one over features, twice."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.lift = nn.Linear(width, 32)
        self.over_steps = nn.ModuleList(
            nn.Sequential(nn.Linear(steps, 32), nn.GELU(), nn.Linear(32, steps)) for _ in "ab"
        )
        self.over_width = nn.ModuleList(nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)) for _ in "ab")
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(4))
        self.head = nn.Linear(32, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        units: Tensor = self.lift(rows)
        for place, (steps, width) in enumerate(zip(self.over_steps, self.over_width, strict=True)):
            units = units + steps(self.norms[2 * place](units).transpose(1, 2)).transpose(1, 2)
            units = units + width(self.norms[2 * place + 1](units))
        logits: Tensor = self.head(units.mean(1))
        return logits


class Bag(nn.Module):
    """The mean of embeddings, and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 24)
        self.layers = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, CLASSES))

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.layers(self.embedding(rows).mean(1))
        return logits


class WideDeep(nn.Module):
    """A linear model and an MLP, added."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(12, CLASSES)
        self.deep = nn.Sequential(
            nn.Linear(12, 48), nn.SiLU(), nn.Dropout(0.1), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, CLASSES)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.wide(rows) + self.deep(rows)
        return logits


def mlp(outputs: int = CLASSES, inputs: int = 12) -> nn.Sequential:
    """Two hidden layers of ReLU units."""
    return nn.Sequential(nn.Linear(inputs, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, outputs))


def deep(outputs: int = CLASSES) -> nn.Sequential:
    """Six hidden layers with batch norm."""
    widths = [12, *[40] * 6]
    layers = [[nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()] for before, after in pairwise(widths)]
    return nn.Sequential(*[each for layer in layers for each in layer], nn.Linear(40, outputs))


def cnn(outputs: int = CLASSES) -> nn.Sequential:
    """Two convolutions with pooling, and a hidden layer."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Linear(32, outputs),
    )  # fmt: skip


def resnet(outputs: int = CLASSES) -> nn.Sequential:
    """Three residual blocks, and the mean of each channel."""
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    return nn.Sequential(
        *stem, *(Block(16) for _ in range(3)), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, outputs)
    )


def conv1d() -> nn.Sequential:
    """Convolutions along the steps, with group norm."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 24, 3, padding=1), nn.GroupNorm(4, 24), nn.ReLU(),
        nn.Conv1d(24, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(288, CLASSES),
    )  # fmt: skip


KINDS: Mapping[str, Callable[[], Problem]] = {
    "mlp": lambda: Problem(mlp(), *table()),
    "cnn": lambda: Problem(cnn(), *pictures()),
    "gru": lambda: Problem(Recurrent(nn.GRU(6, 32, batch_first=True)), *series()),
    "transformer": lambda: Problem(Attending(nn.Embedding(40, 32), 12, dropout=0.1), *words()),
    "bag": lambda: Problem(Bag(), *words()),
    "resnet": lambda: Problem(resnet(), *pictures()),
    "deep": lambda: Problem(deep(), *table()),
    "lstm": lambda: Problem(Recurrent(nn.LSTM(6, 32, 2, batch_first=True, dropout=0.2)), *series()),
    "vit": lambda: Problem(Attending(Patches(), 9), *pictures()),
    "mixer": lambda: Problem(Mixer(10, 6), *series()),
    "conv1d": lambda: Problem(conv1d(), *table()),
    "wide": lambda: Problem(WideDeep(), *table()),
}
DEVELOPED = ("mlp", "cnn", "gru", "transformer", "bag", "resnet")
"""Kinds whose cases were looked at while the checks were written; the others were held back."""


class Around(nn.Module):
    """A network with something before and after it."""

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network, self._before, self._after = network, before, after

    def forward(self, rows: Tensor) -> Tensor:
        """Return what comes after the network."""
        outputs: Tensor = self.network(self._before(rows) if self._before else rows)
        return self._after(outputs) if self._after else outputs


class Gated(nn.Module):
    """Residual layers whose branches begin at zero (ReZero)."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.head = nn.Linear(12, 32), nn.Linear(32, CLASSES)
        self.branches = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(8))
        self.gates = nn.Parameter(torch.zeros(8))

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        units: Tensor = self.lift(rows)
        for gate, branch in zip(self.gates, self.branches, strict=True):
            units = units + gate * branch(units)
        logits: Tensor = self.head(units)
        return logits


class Low(nn.Module):
    """A frozen trained layer with a correction of low rank that begins at zero (LoRA)."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(12, 32)
        nn.init.normal_(self.base.weight, std=0.4)
        self.base.requires_grad_(False)
        self.down, self.up = nn.Linear(12, 4, bias=False), nn.Linear(4, 32, bias=False)
        nn.init.zeros_(self.up.weight)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(functional.gelu(self.base(rows) + self.up(self.down(rows))))
        return logits


class Language(nn.Module):
    """Next words: a causal transformer whose output weights are its embedding's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(40, 32), nn.Parameter(torch.randn(1, 12, 32) * 0.02)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.norm, self.out = nn.LayerNorm(32), nn.Linear(32, 40, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits of the next word at each step."""
        mask = nn.Transformer.generate_square_subsequent_mask(rows.shape[1]).to(self.places.dtype)
        units = self.layer(self.embedding(rows) + self.places, src_mask=mask, is_causal=True)
        logits: Tensor = self.out(self.norm(units))
        return logits


class Experts(nn.Module):
    """Four experts, of which a softmax weighs each."""

    def __init__(self) -> None:
        super().__init__()
        self.experts, self.router = nn.ModuleList(mlp() for _ in range(4)), nn.Linear(12, 4)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        shares = self.router(rows).softmax(1).unsqueeze(1)
        return (torch.stack([expert(rows) for expert in self.experts], 2) * shares).sum(2)


class Sine(nn.Module):
    """Sine units with the start of SIREN."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(before, 48) for before in (12, 48, 48))
        for place, layer in enumerate(self.layers):
            bound = 1 / layer.in_features if place == 0 else math.sqrt(6 / layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound)
        self.head = nn.Linear(48, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        for layer in self.layers:
            rows = torch.sin(layer(rows))
        logits: Tensor = self.head(rows)
        return logits


class Cosine(nn.Module):
    """Logits are cosines with a vector for each class, times a learned scale."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.vectors = mlp(32), nn.Parameter(torch.randn(CLASSES, 32))
        self.scale = nn.Parameter(torch.tensor(8.0))

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        return self.scale * functional.normalize(self.layers(rows)) @ functional.normalize(self.vectors).T


class Signs(nn.Module):
    """A hidden layer of signs, whose gradient passes straight through."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.head = nn.Linear(12, 64), nn.Linear(64, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        units = torch.tanh(self.lift(rows))
        units = units + (units.sign() - units).detach()
        logits: Tensor = self.head(units)
        return logits


class Segmenting(nn.Module):
    """A small U-Net: logits of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.up, self.head = nn.ConvTranspose2d(16, 16, 2, stride=2), nn.Conv2d(32, 2, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits [rows, 2, side, side]."""
        first = functional.relu(self.down(rows))
        second = functional.relu(self.middle(functional.max_pool2d(first, 2)))
        logits: Tensor = self.head(torch.cat([first, functional.relu(self.up(second))], 1))
        return logits


def weight_normed() -> nn.Module:
    """An MLP under weight norm."""
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(12, 48)), nn.ReLU(), parametrizations.weight_norm(nn.Linear(48, CLASSES))
    )


def spectral_normed() -> nn.Module:
    """An MLP under spectral norm."""
    return nn.Sequential(parametrizations.spectral_norm(nn.Linear(12, 48)), nn.ReLU(), nn.Linear(48, CLASSES))
