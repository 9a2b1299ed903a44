"""One configuration of one network: two boards of knobs that never mix, and the seed.

Lambda is stated in the unit of the cost J = (1/m) sum L + lambda/(2m) ||W||^2, with m the number of training rows
and W the weights without biases, norm parameters and embeddings. `weight_decay_of` and `shrink_of` convert.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Literal

from wellfit._typing import Json
from wellfit.exceptions import BadInput

Activation = Literal["relu", "tanh", "gelu"]
OptimizerKind = Literal["adam", "sgd", "momentum"]
Schedule = Literal["cosine", "constant"]
Embedding = Literal["none", "ple"]

ACTIVATIONS: tuple[Activation, ...] = ("relu", "tanh", "gelu")
OPTIMIZERS: tuple[OptimizerKind, ...] = ("adam", "sgd", "momentum")
SCHEDULES: tuple[Schedule, ...] = ("cosine", "constant")
EMBEDDINGS: tuple[Embedding, ...] = ("none", "ple")


@dataclass(frozen=True, kw_only=True)
class Network:
    """Shape of the network: hidden widths from input to output, the activation between them, and how numbers enter.

    `embedding` "ple" adds to every numeric column its piecewise-linear encoding over at most `bins` quantile bins
    of the training rows (Gorishniy et al., 2022); "none" takes the numbers as they are.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: Activation = "relu"
    embedding: Embedding = "ple"
    bins: int = 32

    def __post_init__(self) -> None:
        _require_choice("activation", self.activation, ACTIVATIONS)
        _require_choice("embedding", self.embedding, EMBEDDINGS)
        _require_range("bins", self.bins, low=2, high=math.inf)
        if any(width < 1 for width in self.widths):
            raise BadInput(
                "every width must be at least 1", found=f"widths={self.widths}", remedy="Give positive widths"
            )


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """The knobs that make J small on the training set.

    `epochs` counts passes over the training rows, `batch_size` rows per update; lr is the peak of the schedule.
    """

    optimizer: OptimizerKind = "adam"
    lr: float = 1e-3
    epochs: int = 32
    batch_size: int = 256
    schedule: Schedule = "cosine"
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        _require_choice("optimizer", self.optimizer, OPTIMIZERS)
        _require_choice("schedule", self.schedule, SCHEDULES)
        _require_range("lr", self.lr, low=0.0, high=math.inf, open_low=True)
        _require_range("epochs", self.epochs, low=1, high=math.inf)
        _require_range("batch_size", self.batch_size, low=1, high=math.inf)
        _require_range("momentum", self.momentum, low=0.0, high=1.0, open_high=True)
        for beta in self.betas:
            _require_range("betas", beta, low=0.0, high=1.0, open_high=True)


@dataclass(frozen=True, kw_only=True)
class Regularization:
    """The knobs that make dev follow train; the defaults regularize nothing.

    `l2` is lambda; `keep_prob` is the share of hidden units kept by dropout, one for all hidden layers or one a layer.
    """

    l2: float = 0.0
    keep_prob: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        _require_range("l2", self.l2, low=0.0, high=math.inf)
        for keep in self.keep_prob if isinstance(self.keep_prob, tuple) else (self.keep_prob,):
            _require_range("keep_prob", keep, low=0.0, high=1.0, open_low=True)

    @property
    def is_off(self) -> bool:
        """Whether nothing is regularized."""
        keeps = self.keep_prob if isinstance(self.keep_prob, tuple) else (self.keep_prob,)
        return self.l2 == 0 and all(keep == 1 for keep in keeps)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides one training, apart from the data."""

    network: Network = field(default_factory=Network)
    optimization: Optimization = field(default_factory=Optimization)
    regularization: Regularization = field(default_factory=Regularization)
    seed: int = 0

    def __post_init__(self) -> None:
        keep = self.regularization.keep_prob
        if isinstance(keep, tuple) and len(keep) != len(self.network.widths):
            raise BadInput(
                "keep_prob has one value for all hidden layers, or one for each",
                found=f"{len(keep)} values for {len(self.network.widths)} hidden layers",
                remedy="Give as many values as widths",
            )

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """keep_prob of each hidden layer."""
        keep = self.regularization.keep_prob
        return keep if isinstance(keep, tuple) else (keep,) * len(self.network.widths)

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits that name this configuration: equal configurations have equal names."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> Json:
        """Plain values, as `from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Json) -> Config:
        """Rebuild a configuration from `to_json`'s values.

        Raises:
            BadInput: for an unknown knob or a value out of range.
        """
        try:
            return cls(
                network=Network(**_tuples(body.get("network", {}))),
                optimization=Optimization(**_tuples(body.get("optimization", {}))),
                regularization=Regularization(**_tuples(body.get("regularization", {}))),
                seed=body.get("seed", 0),
            )
        except TypeError as error:
            raise BadInput(
                "a config has known knobs only", found=str(error), remedy="Remove or rename the knob"
            ) from error


def updates_per_epoch(*, rows: int, batch_size: int) -> int:
    """Updates in one pass over `rows` training rows; the last batch may be smaller."""
    return math.ceil(rows / batch_size)


def total_updates(config: Config, *, rows: int) -> int:
    """Updates that the whole training of `config` takes on `rows` training rows."""
    return config.optimization.epochs * updates_per_epoch(rows=rows, batch_size=config.optimization.batch_size)


def weight_decay_of(l2: float, *, rows: int) -> float:
    """lambda / m: what SGD's and AdamW's `weight_decay` must be for the same decay."""
    return l2 / rows


def l2_of(*, weight_decay: float, rows: int) -> float:
    """lambda = weight_decay * m."""
    return weight_decay * rows


def shrink_of(l2: float, *, rows: int, lr: float) -> float:
    """lr * lambda / m: the share of each weight that one update at the peak learning rate removes."""
    return lr * l2 / rows


def _tuples(knobs: Json) -> Json:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in knobs.items()}


def _require_choice(knob: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadInput(
            f"{knob} must be one of {', '.join(choices)}",
            found=f"{knob}={value!r}",
            remedy="Choose one of them",
        )


def _require_range(
    knob: str, value: float, *, low: float, high: float, open_low: bool = False, open_high: bool = False
) -> None:
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if not (math.isfinite(value) and above and below):
        rule = f"{knob} must be finite and in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise BadInput(rule, found=f"{knob}={value!r}", remedy=f"Give a {knob} in that range")
