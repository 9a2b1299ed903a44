"""The configuration of a network: two boards of knobs that never mix, the seed, and the device to train it on.

Lambda is stated in the unit of the cost J = (1/m) sum L + lambda/(2m) ||W||^2, with m the number of training rows
and W the weights without biases, norm parameters and embeddings. `weight_decay_of` and `shrink_of` convert.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from wellfit.base.arguments import named_fields
from wellfit.base.serialize import OwnForm, Record
from wellfit.exceptions import BadInput
from wellfit.records.augmentation import Augmentation
from wellfit.records.knobs import (
    KNOBS,
    OFF,
    Activation,
    Embedding,
    Knob,
    NetworkKind,
    OptimizerKind,
    Schedule,
    Strength,
    knobs_of,
)

if TYPE_CHECKING:
    from wellfit.base.typing import Json


@named_fields
@dataclass(frozen=True, kw_only=True)
class Network:
    """Shape of the network: hidden widths from input to output, the activation between them, the encoding of numbers.

    `module` names a module of the user that replaces all of these (training/module.py).
    `embedding` "ple" adds to every numeric column its piecewise-linear encoding over at most `bins` quantile bins
    of the training rows, "periodic" adds learned features of learned waves (both Gorishniy et al., 2022, the latter as
    in Holzmueller et al., 2024: PBLD); "none" uses the numbers as they are.
    `kind` "conv" is a network for pictures (training/convolution.py): the widths are the channels of its blocks.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: Activation = "relu"
    embedding: Embedding = "ple"
    bins: int = 32
    module: str = ""
    kind: NetworkKind = "mlp"

    def __post_init__(self) -> None:
        _keep_checked(self, "network")


@named_fields
@dataclass(frozen=True, kw_only=True)
class Optimization:
    """The knobs that make J small on the training set.

    `epochs` counts passes over the training rows, `batch_size` rows per update; lr is the peak of the schedule.
    "coslog4" (Holzmueller et al., 2024) anneals to 0 at 1/15, 3/15, 7/15 and the end of training, so that networks
    can be compared there. `clip_norm` is the largest norm of a gradient, over all parameters. `early_stopping` is a
    patience: training ends after this number of points of the learning curve without a lower dev loss, and the best
    point is kept; this couples the choice of the fit to dev, and is off by default.
    """

    optimizer: OptimizerKind = "adam"
    lr: float = 1e-3
    epochs: int = 32
    batch_size: int = 256
    schedule: Schedule = "cosine"
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float | None = None
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        _keep_checked(self, "optimization")


@named_fields
@dataclass(frozen=True, kw_only=True)
class Regularization:
    """The knobs that bring the dev loss close to that of train; the defaults regularize nothing.

    Attributes:
        l2: lambda.
        keep_prob: share of hidden units kept by dropout, one for all hidden layers or one per layer.
        l1: adds (l1/m) ||W||_1 to the cost.
        label_smoothing: share of every label that is spread evenly over all classes (Szegedy et al., 2016).
        input_noise: standard deviation of the noise added to the standardized numbers (Bishop, 1995).
        input_keep_prob: share of the inputs kept by dropout (Srivastava et al., 2014): columns of the table, a number
            with its bins or a category with its whole encoding; of a picture the values of its pixels.
        mixup: alpha of Beta(alpha, alpha), from which two rows' shares in their mixture are drawn (Zhang et al., 2018).
        ema: decay of the moving average of the parameters, which replaces the final ones.
        augment: strength of the random changes to training pictures; 1 uses the full ranges of `Config.augmentation`.
        l2_schedule: schedule of lambda and l1; "flat_cos" is constant for half of the training, then half a cosine down
            to 0.
        keep_prob_schedule: schedule of the share of dropped units and inputs, with the same values.
    """

    l2: float = 0.0
    keep_prob: float | tuple[float, ...] = 1.0
    l1: float = 0.0
    label_smoothing: float = 0.0
    input_noise: float = 0.0
    input_keep_prob: float = 1.0
    mixup: float = 0.0
    ema: float = 0.0
    augment: float = 0.0
    l2_schedule: Strength = "constant"
    keep_prob_schedule: Strength = "constant"

    def __post_init__(self) -> None:
        _keep_checked(self, "regularization")

    @property
    def is_off(self) -> bool:
        """Whether nothing is regularized."""
        values = ((getattr(self, name), off) for name, off in OFF.items() if name in KNOBS)
        return all(one == off for value, off in values for one in (value if isinstance(value, tuple) else (value,)))


@dataclass(frozen=True, kw_only=True)
class DataBoard:
    """The knobs of the data: which training rows are used, and how much each one counts; dev and test never change.

    `more_data` names rows that are added (data/training_rows.py), "" for none; `reweight` is the power of their
    importance (0 counts every row once); `drop_rows` leaves out the training rows that have a copy in dev.
    """

    more_data: str = ""
    reweight: float = 0.0
    drop_rows: bool = False

    def __post_init__(self) -> None:
        _keep_checked(self, "data")

    @property
    def is_off(self) -> bool:
        """Whether the training rows are used as they are."""
        return self == DataBoard()


class Told(NamedTuple):
    """A knob of the user's own training function, with its value; a regularizer that is off has none."""

    board: str
    knob: str
    value: float | str


@named_fields
@dataclass(frozen=True, kw_only=True)
class Config(OwnForm):
    """Everything that determines one training run, apart from the rows.

    `augmentation` has the ranges of the random changes to pictures, which `regularization.augment` turns on. `data`
    selects the training rows. `own` has the knobs of a training function of the user's own, which stand in place of
    those of all boards.
    """

    network: Network = field(default_factory=Network)
    optimization: Optimization = field(default_factory=Optimization)
    regularization: Regularization = field(default_factory=Regularization)
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    data: DataBoard = field(default_factory=DataBoard)
    own: tuple[Told, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", _plain(self.seed))
        _SEED.require(self.seed)
        object.__setattr__(self, "own", tuple(sorted(self.own)))
        keep = self.regularization.keep_prob
        if isinstance(keep, tuple) and not self.network.module and len(keep) != len(self.network.widths):
            raise BadInput(
                "keep_prob must have one value for all hidden layers or one per layer",
                found=f"{len(keep)} values for {len(self.network.widths)} hidden layers",
                remedy="Pass as many values as widths",
            )

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """The keep_prob of each hidden layer."""
        keep = self.regularization.keep_prob
        return keep if isinstance(keep, tuple) else (keep,) * len(self.network.widths)

    def with_knobs(self, **knobs: Any) -> Config:
        """Return the config with other values of these knobs, changed together: some values are valid only together."""
        boards: dict[str, dict[str, Any]] = {}
        for name, value in knobs.items():
            boards.setdefault(KNOBS[name].board, {})[name] = value
        return replace(self, **{board: replace(getattr(self, board), **turned) for board, turned in boards.items()})

    def value_of(self, name: str) -> Any:
        """Return the value of the knob with this name, which must not be a second name."""
        return getattr(getattr(self, KNOBS[name].board), name)

    @property
    def regularizers(self) -> tuple[object, ...]:
        """Everything that regularizes, to be compared with that of another config."""
        return self.regularization, *(told for told in self.own if told.board == "regularization")

    @property
    def is_plain(self) -> bool:
        """True if every regularizer is off."""
        return self.regularization.is_off and len(self.regularizers) == 1

    def own_on(self, board: str) -> dict[str, float | str]:
        """Return the user's own knobs on a board, by name."""
        return {told.knob: told.value for told in self.own if told.board == board}

    def __repr__(self) -> str:
        if self.own:
            return f"Config({', '.join(f'{told.knob}={told.value}' for told in self.own)}, seed={self.seed})"
        default, shown = Config().shown, self.shown
        told = [
            f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in shown.items()
            if value != default.get(name)
        ]
        return f"Config({', '.join(told)}, seed={self.seed})"

    @property
    def shown(self) -> Json:
        """The knobs of all boards that `to_json` shows, under their own names."""
        body = self.to_json()
        return {name: value for board in BOARDS for name, value in body[board].items()}

    @cached_property
    def identity(self) -> str:
        """Sixteen hexadecimal digits that identify this configuration: equal configurations have equal ones."""
        return digest_of(self.to_json())

    def to_json(self) -> Json:
        """Return plain values that `from_json` can read; knobs that are not basic are included only if they are on."""
        if self.own:
            boards = {board: self.own_on(board) for board in ("optimization", "regularization", "data")}
            return {"own": boards, "seed": self.seed}
        body = asdict(self)
        del body["own"]
        if self.augmentation == Augmentation():
            del body["augmentation"]
        if self.data.is_off:
            del body["data"]
        for name, board in BOARDS.items():
            body[name] = {
                knob: value for knob, value in body[name].items() if KNOBS[knob].basic or value != getattr(board, knob)
            }
        return body

    @classmethod
    def from_json(cls, body: Json) -> Config:
        """Rebuild a config from the result of `to_json`; BadInput for an unknown knob or a value out of range."""
        try:
            return cls(
                **{name: board(**body.get(name, {})) for name, board in BOARDS.items()},
                seed=body.get("seed", 0),
                augmentation=Augmentation(**body.get("augmentation", {})),
                data=DataBoard(**body.get("data", {})),
                own=tuple(
                    Told(board, knob, value)
                    for board, knobs in body.get("own", {}).items()
                    for knob, value in knobs.items()
                ),
            )
        except TypeError as error:
            raise BadInput(
                "a config must have only known knobs", found=str(error), remedy="Remove or rename the knob"
            ) from error


class KnobPair(NamedTuple):
    """A knob in which two configs differ, with both values."""

    board: str
    knob: str
    a: object
    b: object


def differing(a: Config, b: Config) -> tuple[KnobPair, ...]:
    """Return the knobs in which two configs differ, board by board."""
    pairs = ((board, vars(getattr(a, board)), vars(getattr(b, board))) for board in (*BOARDS, "augmentation", "data"))
    found = [
        KnobPair(board, knob, old[knob], new[knob])
        for board, old, new in pairs
        for knob in old
        if old[knob] != new[knob]
    ]
    for board in ("optimization", "regularization", "data"):
        old, new = a.own_on(board), b.own_on(board)
        pairs_of_board = (KnobPair(board, knob, old.get(knob), new.get(knob)) for knob in dict.fromkeys((*old, *new)))
        found += [pair for pair in pairs_of_board if pair.a != pair.b]
    return tuple(found)


BOARDS: Mapping[str, type[Any]] = {"network": Network, "optimization": Optimization, "regularization": Regularization}
"""The parts of a config that a person, a sweep or a remedy can change."""
_SEED = Knob("seed", "optimization", kind="whole")


def digest_of(body: Json) -> str:
    """Return sixteen hexadecimal digits that identify plain values: equal values have equal digits."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def updates_per_epoch(*, rows: int, batch_size: int) -> int:
    """Return the updates in one pass over `rows` training rows; the last batch may be smaller."""
    return math.ceil(rows / batch_size)


def total_updates(config: Config, *, rows: int) -> int:
    """Return the updates in a complete training run of `config` on `rows` training rows."""
    return config.optimization.epochs * updates_per_epoch(rows=rows, batch_size=config.optimization.batch_size)


def weight_decay_of(l2: float, *, rows: float) -> float:
    """Return lambda / m: the `weight_decay` of SGD or AdamW that gives the same decay."""
    return l2 / rows


def shrink_of(l2: float, *, rows: int, lr: float) -> float:
    """Return lr * lambda / m: the share of each weight that one update at the peak learning rate removes."""
    return lr * l2 / rows


def lambda_by_unit(config: Config, *, rows: int) -> dict[str, float]:
    """Return lambda in the units of its second names, as the journal shows it."""
    l2, lr = config.regularization.l2, config.optimization.lr
    return {"weight_decay": weight_decay_of(l2, rows=rows), "shrink": shrink_of(l2, rows=rows, lr=lr)}


def _keep_checked(board: Network | Optimization | Regularization | DataBoard, name: str) -> None:
    """Store a board's values as checked Python values: configs are keys and JSON, which numpy values cannot be."""
    for knob in knobs_of(name):
        value = _plain(getattr(board, knob.name))
        object.__setattr__(board, knob.name, value)
        knob.require(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


CPU = "cpu"
DEVICES = (CPU, "cuda")
FLOAT32, TF32, BF16 = PRECISIONS = ("float32", "tf32", "bf16")
"""In matrix products: full precision, 10 bits, or 7 bits of each factor. Sums, steps and moments stay float32."""


@dataclass(frozen=True)
class Device(Record):
    """The device on which a stack is trained, if not on the CPU, and one of PRECISIONS.

    The name is that of torch; "cpu" runs the same code here, slowly, for the tests.
    """

    name: str
    precision: str = FLOAT32

    @property
    def is_gpu(self) -> bool:
        """Whether this is a different chip from the one that runs this code."""
        return self.name != CPU


def device_of(name: str, precision: str) -> Device | None:
    """Return the requested device; None for this machine's own cores, BadInput for one that is missing."""
    if name not in DEVICES:
        raise BadInput(
            f"device must be one of {', '.join(DEVICES)}", found=f"device={name!r}", remedy="Choose one of them"
        )
    if precision not in PRECISIONS:
        raise BadInput(
            f"precision must be one of {', '.join(PRECISIONS)}",
            found=f"precision={precision!r}",
            remedy="Choose one of them",
        )
    if name == CPU:
        if precision != FLOAT32:
            raise BadInput(
                "the precision must be float32 on the CPU",
                found=f"precision={precision!r} with device={name!r}",
                remedy="Remove the precision, or pass --device cuda",
            )
        return None
    import torch

    if not torch.cuda.is_available():
        raise BadInput(
            "the device must exist, and torch must be built for it",
            found=f"device={name!r}, but torch {torch.__version__} finds none",
            remedy="Install a torch with CUDA, or remove the device",
        )
    return Device(name, precision)
