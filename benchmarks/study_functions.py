"""Training functions that are not wellfit's, each with a planted cause: what a study, TPE and random search tune.

A function gets knobs and rows and returns the predictions of train and dev. The causes: far too small, a learning rate
too low or too high, too few epochs, no regularization, label noise, little data, and nothing at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import wellfit as wf
from wellfit.base.typing import Floats, Integers

DEV = 2_000
Knobs = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """Train and dev rows, and the error that no network beats."""

    X: Floats
    y: Integers
    X_dev: Floats
    y_dev: Integers
    optimal: float


Train = Callable[[Knobs, Rows], tuple[Floats, Floats]]
"""(knobs, rows) -> probabilities [rows, classes] of train and dev."""


@dataclass(frozen=True)
class Case:
    """One training function, its rows and its knobs."""

    name: str
    cause: Literal["optimization", "regularization", "none"]
    train: Train
    rows: Callable[[int], Rows]
    knobs: Mapping[str, Any]


def board(*, rows: int, flipped: float = 0.05, noise: int = 0, fields: int = 2) -> Callable[[int], Rows]:
    """Return a chequered board with labels flipped, and columns that say nothing."""

    def made(seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, (rows + DEV, 2 + noise))
        y = (np.floor((X[:, 0] + 1) * fields / 2) + np.floor((X[:, 1] + 1) * fields / 2)).astype(int) % 2
        # Exactly this share of each part, so that the optimal error is that of the rows and not of their law.
        for part in (slice(0, rows), slice(rows, None)):
            count = len(y[part])
            wrong = rng.permutation(count) < round(flipped * count)
            y[part] = np.where(wrong, 1 - y[part], y[part])
        return Rows(X[:rows], y[:rows], X[rows:], y[rows:], flipped)

    return made


def digits(rows: int) -> Callable[[int], Rows]:
    """Return the digits of scikit-learn, 8 by 8."""

    def made(seed: int) -> Rows:
        X, y = load_digits(return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(y))
        X, y = X[order] / 16, y[order]
        return Rows(X[:rows], y[:rows], X[rows:], y[rows:], 0.01)

    return made


def _torch_fit(net: nn.Module, knobs: Knobs, rows: Rows, *, shape: tuple[int, ...] = ()) -> tuple[Floats, Floats]:
    X, X_dev = (
        torch.tensor(each, dtype=torch.float32).reshape(len(each), *(shape or (-1,))) for each in (rows.X, rows.X_dev)
    )
    y, m = torch.tensor(rows.y), len(rows.y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=knobs["lr"], weight_decay=knobs["l2"] / m)
    loss = nn.CrossEntropyLoss()
    for _ in range(knobs["epochs"]):
        net.train()
        for batch in torch.randperm(m).split(32):
            optimizer.zero_grad()
            loss(net(X[batch]), y[batch]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return tuple(torch.softmax(net(each).double(), 1).numpy() for each in (X, X_dev))  # type: ignore[return-value]


def torch_mlp(knobs: Knobs, rows: Rows) -> tuple[Floats, Floats]:
    """Two hidden layers, AdamW, dropout."""
    torch.manual_seed(0)
    width, drop, inputs = knobs["width"], 1 - knobs["keep_prob"], rows.X.shape[1]
    net = nn.Sequential(
        *(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(drop)),
        *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(drop), nn.Linear(width, 2)),
    )
    return _torch_fit(net, knobs, rows)


def torch_cnn(knobs: Knobs, rows: Rows) -> tuple[Floats, Floats]:
    """Two convolutions and a pool on 8 by 8."""
    torch.manual_seed(0)
    width, drop = knobs["width"], 1 - knobs["keep_prob"]
    net = nn.Sequential(
        *(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(drop)),
        nn.Linear(16 * width, 10),
    )
    return _torch_fit(net, knobs, rows, shape=(1, 8, 8))


def sklearn_mlp(knobs: Knobs, rows: Rows) -> tuple[Floats, Floats]:
    """An MLPClassifier behind a pipeline."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier(
            (knobs["width"],),
            learning_rate_init=knobs["lr"],
            max_iter=knobs["epochs"],
            alpha=knobs["l2"],
            batch_size=32,
            tol=0.0,
            n_iter_no_change=10_000,
            random_state=0,
        )
        model = make_pipeline(StandardScaler(), net).fit(rows.X, rows.y)
    return model.predict_proba(rows.X), model.predict_proba(rows.X_dev)


def numpy_net(knobs: Knobs, rows: Rows) -> tuple[Floats, Floats]:
    """One hidden layer of tanh, by gradient descent with momentum, written out."""
    rng, m, width = np.random.default_rng(0), len(rows.y), knobs["width"]
    W1, b1 = rng.normal(size=(rows.X.shape[1], width)) * 1.5, rng.normal(size=width)
    W2, b2 = rng.normal(size=width) / np.sqrt(width), 0.0
    V = [0.0, 0.0, 0.0, 0.0]

    def forward(X: Floats) -> tuple[Floats, Floats]:
        hidden = np.tanh(X @ W1 + b1)
        return hidden, 1 / (1 + np.exp(-np.clip(hidden @ W2 + b2, -30, 30)))

    for _ in range(knobs["epochs"]):
        for batch in np.array_split(rng.permutation(m), max(1, m // 32)):
            hidden, p = forward(rows.X[batch])
            slope = (p - rows.y[batch]) / len(batch)
            back = np.outer(slope, W2) * (1 - hidden**2)
            decay = knobs["l2"] / m
            slopes = (rows.X[batch].T @ back + decay * W1, back.sum(0), hidden.T @ slope + decay * W2, slope.sum())
            V = [0.9 * v - knobs["lr"] * slope for v, slope in zip(V, slopes, strict=True)]
            W1, b1, W2, b2 = W1 + V[0], b1 + V[1], W2 + V[2], b2 + V[3]
    return tuple(np.column_stack([1 - p, p]) for _, p in (forward(rows.X), forward(rows.X_dev)))  # type: ignore[return-value]


def knobs(
    *, width: int = 64, epochs: int = 30, lr: float = 3e-3, most: int = 256, dropout: bool = True
) -> dict[str, Any]:
    """Return the ranges, with their starts: all but one of a case are sound."""
    found = {
        "width": wf.size(2, most, start=width),
        "epochs": wf.epochs(2, 100, start=epochs),
        "lr": wf.learning_rate(1e-5, 1.0, start=lr),
        "l2": wf.decay(1e-2, 1e3),
    }
    return {**found, "keep_prob": wf.keep_prob(0.3)} if dropout else found


_PLAIN, _WIDE, _FEW = board(rows=800), board(rows=250, noise=10), board(rows=120)
CASES = (
    Case("torch, far too small", "optimization", torch_mlp, _PLAIN, knobs(width=2)),
    Case("torch, lr too low", "optimization", torch_mlp, _PLAIN, knobs(lr=1e-5)),
    Case("torch, lr too high", "optimization", torch_mlp, _PLAIN, knobs(lr=1.0)),
    Case("torch, too few epochs", "optimization", torch_mlp, _PLAIN, knobs(epochs=2, lr=1e-3)),
    Case("torch, no regularization", "regularization", torch_mlp, _WIDE, knobs(width=128)),
    Case(
        "torch, label noise",
        "regularization",
        torch_mlp,
        board(rows=400, flipped=0.2),
        knobs(width=256, epochs=100),
    ),
    Case("torch, little data", "regularization", torch_mlp, _FEW, knobs(width=128, epochs=100)),
    Case("torch, fine", "none", torch_mlp, board(rows=3_000), knobs(epochs=30)),
    Case("scikit-learn, far too small", "optimization", sklearn_mlp, _PLAIN, knobs(width=2, dropout=False)),
    Case(
        "scikit-learn, too few epochs",
        "optimization",
        sklearn_mlp,
        _PLAIN,
        knobs(epochs=2, lr=1e-3, dropout=False),
    ),
    Case(
        "scikit-learn, no regularization",
        "regularization",
        sklearn_mlp,
        _WIDE,
        knobs(width=128, epochs=100, dropout=False),
    ),
    Case(
        "scikit-learn, fine",
        "none",
        sklearn_mlp,
        board(rows=3_000),
        knobs(epochs=60, lr=1e-2, dropout=False),
    ),
    Case("numpy, lr too low", "optimization", numpy_net, _PLAIN, knobs(lr=1e-4, dropout=False)),
    Case(
        "numpy, label noise",
        "regularization",
        numpy_net,
        board(rows=300, flipped=0.2, noise=4),
        knobs(width=256, epochs=100, lr=3e-2, dropout=False),
    ),
    Case("cnn, far too small", "optimization", torch_cnn, digits(600), knobs(width=2, epochs=10, most=32)),
    Case(
        "cnn, too few epochs",
        "optimization",
        torch_cnn,
        digits(600),
        knobs(width=16, epochs=2, lr=1e-3, most=32),
    ),
)
