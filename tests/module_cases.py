"""Users' modules for the tests of both engines: ordinary code that knows nothing of wellfit.

Those in DROPPING count in a buffer how many of their units were kept: a buffer is each member's own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema

WIDTH = 40


def prepare_small(task: str, *, rows: int = 90, dev: int = 30) -> Prepared:
    """Three numbers, a category of three levels and one of twelve."""
    source = np.random.default_rng(3)
    total = rows + dev
    numbers = source.normal(size=(total, 3))
    few, many = source.integers(0, 3, total), source.integers(0, 12, total)
    signal = numbers @ [1.0, -1.0, 0.5] + (few == 1) + 0.1 * many + 0.2 * source.normal(size=total)
    target = np.digitize(signal, np.quantile(signal, [0.3, 0.7])).astype(str) if task == "classification" else signal
    columns = {name: numbers[:, place] for place, name in enumerate("abc")}
    columns |= {"few": few.astype(str), "many": [f"m{code}" for code in many], "target": target}
    table = pa.table(columns)
    preparation = fit_preparation(table.slice(0, rows), infer_schema(table, target="target", task=task))
    parts = [preparation.transform(part) for part in (table.slice(0, rows), table.slice(rows))]
    return Prepared(preparation, parts[0], None, parts[1])


class Counting(nn.Module):
    """Lifts the inputs, drops some way, and counts what it kept."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.lift = nn.Linear(inputs, WIDTH)
        self.last = nn.Linear(WIDTH, outputs)
        self.register_buffer("kept", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, rows):
        features, units = self.drop(torch.tanh(self.lift(rows)) + 2)
        self.kept = self.kept + (units != 0).sum()
        self.seen = self.seen + units.numel()
        return self.last(features)


class Layer(Counting):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.dropout = nn.Dropout(0.25)

    def drop(self, units):
        return (self.dropout(units),) * 2


class InPlace(Layer):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.dropout = nn.Dropout(0.25, inplace=True)

    def drop(self, units):
        self.dropout(units)
        return units, units


class Channels(Counting):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.dropout = nn.Dropout1d(0.25)

    def drop(self, units):
        channels = self.dropout(units.reshape(-1, WIDTH // 4, 4))
        return channels.flatten(1), channels[:, :, 0]


class Function(Counting):
    def drop(self, units):
        return (functional.dropout(units, 0.25, self.training),) * 2


class Forgotten(Counting):
    def drop(self, units):
        return (functional.dropout(units),) * 2


class Attention(Counting):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.25, batch_first=True)

    def drop(self, units):
        tokens = units.reshape(-1, WIDTH // 4, 4)
        attended, weights = self.attention(tokens, tokens, tokens, average_attn_weights=False)
        return attended.flatten(1), weights


class Weightless(Attention):
    def drop(self, units):
        tokens = units.reshape(-1, WIDTH // 4, 4)
        rate = 0.25 if self.training else 0.0
        identity = torch.eye(WIDTH // 4, dtype=tokens.dtype)
        weights = functional.scaled_dot_product_attention(tokens, tokens, identity, dropout_p=rate)
        return (weights @ self.attention(tokens, tokens, tokens, need_weights=False)[0]).flatten(1), weights


class Recurrent(Counting):
    """Two layers of LSTM; the second has its gates open, so that it shows which of its inputs were kept."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.lstm = nn.LSTM(WIDTH, WIDTH, 2, dropout=0.25, batch_first=True)
        with torch.no_grad():
            input_gate, forget_gate, cell, output_gate = self.lstm.weight_ih_l1.split(WIDTH)
            for gate in (input_gate, forget_gate, output_gate, self.lstm.weight_hh_l1, self.lstm.bias_hh_l1):
                gate.zero_()
            cell.copy_(torch.eye(WIDTH))
            bias = torch.full((4, WIDTH), 50.0)
            bias[2] = 0
            self.lstm.bias_ih_l1.copy_(bias.flatten())

    def drop(self, units):
        return (self.lstm(units.unsqueeze(1))[0].squeeze(1),) * 2


DROPPING = (Layer, InPlace, Channels, Function, Attention, Weightless, Recurrent)


class Plain(nn.Module):
    """No dropout, no buffers."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))

    def forward(self, rows):
        return self.layers(rows)


class Normed(nn.Module):
    """Batch norm with running statistics, layer norm, a frozen parameter, and dropout."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, 8, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(8, 8),
            nn.LayerNorm(8),
        )
        self.last = nn.Linear(8, outputs)
        self.frozen = nn.Parameter(torch.randn(8), requires_grad=False)

    def forward(self, rows):
        return self.last(self.layers(rows) * self.frozen)


class Tied(nn.Module):
    """Two layers that share their weights, around an embedding."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, inputs), nn.Linear(inputs, inputs)
        self.second.weight = self.first.weight
        self.places = nn.Embedding(3, inputs)
        self.last = nn.Linear(inputs, outputs)

    def forward(self, rows):
        hidden = torch.relu(self.first(rows)) + self.places(torch.tensor([0, 2])).sum(0)
        return self.last(functional.dropout(torch.relu(self.second(hidden)), 0.5, self.training))


class Encoder(nn.Module):
    """A transformer layer over the columns, one number out."""

    def __init__(self, inputs):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(inputs, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.last = nn.Linear(8, 1)

    def forward(self, rows):
        return self.last(self.layer(rows.unsqueeze(2) * self.embed).mean(1)).squeeze(1)


class Branching(nn.Module):
    """Looks at a value: torch cannot map it over members."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.last = nn.Linear(inputs, outputs)
        self.dropout = nn.Dropout(0.5)

    def forward(self, rows):
        rows = self.dropout(rows)
        return self.last(rows if self.last.weight.sum().item() > 0 else -rows)


class Noisy(nn.Module):
    """Draws from torch's generator by itself."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.last = nn.Linear(inputs, outputs)

    def forward(self, rows):
        return self.last(rows + 0.1 * torch.randn_like(rows) if self.training else rows)
