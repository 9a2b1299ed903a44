"""The knobs of a training run: one table, read by configs, command line, estimators, sweeps, recipe and reports.

A knob may have second names, each in its own unit. lambda is `l2`, `weight_decay` (= lambda / m) or `shrink`
(= lr * lambda / m, the share of each weight that one update at the peak learning rate removes, whatever the member's
lr is); l1 is also `l1_step` (= lr * l1 / m); keep_prob is also `dropout` (= 1 - keep_prob); the second of `betas` is
`beta2`.

To add a knob, add its row here, its field in records/config.py and in estimators/classifier.py, and its effect to the
engines (tests/test_knobs.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

from wellfit.exceptions import BadInput

Board = Literal["network", "optimization", "regularization", "data"]
Activation = Literal["relu", "tanh", "gelu"]
OptimizerKind = Literal["adam", "sgd", "momentum"]
Schedule = Literal["cosine", "constant", "coslog4"]
Strength = Literal["constant", "flat_cos"]
Embedding = Literal["none", "ple", "periodic"]
NetworkKind = Literal["mlp", "conv"]

MOST_VALUES = 1_000
SEARCHED_WIDTHS = tuple((width,) * depth for depth in (1, 2, 3, 4) for width in (128, 256, 384, 512))


@dataclass(frozen=True)
class Usual:
    """The range of a knob in published searches and tunings of tabular MLPs (sources in sweeps/usual.py).

    Values are spread evenly over `scale`: their size, its logarithm, or the logarithm of their distance to 1. `off` is
    the share of the members for which the knob is exactly off.
    """

    low: float
    high: float
    scale: Literal["linear", "log", "log to one"] = "linear"
    off: float = 0.0


@dataclass(frozen=True)
class Around:
    """The values of other knobs that a conversion needs; `rows` is m."""

    rows: float
    lr: float
    beta1: float


@dataclass(frozen=True)
class Knob:
    """One name of a knob.

    Attributes:
        name: name of the field in `Config`, unless it is a second name `of` another knob.
        board: part of `Config` that has the knob.
        shape: "one" value, "several" at once, or one or several, one for each hidden "layer".
        count: number of values if the shape is "several"; None for any number.
        is_low_open: whether `low` itself is excluded; `is_high_open` likewise.
        optional: whether None is a value.
        choices: all values of a knob that takes a word.
        basic: whether every config and every report shows the knob; any other knob is shown only if it is on.
        off: value at which a regularizer does nothing; None for a knob that is not a regularizer.
        needs: what the knob acts on, if not every table has it.
        to_own: converts a value by this second name to the knob's own value; `from_own` converts it back.
        unit: unit of a decay: that of the "cost", per training "row", or per "update".
        usual: range or values that a search tries by default; those of a decay depend on other knobs.
        published: a value known to be good.
        remedy: kind of the recipe's remedy that tries `trials`.
        factors: multiples of the present value; the search of both boards looks between them, or tries each (whole
            numbers).
        turned: whether some remedy of the recipe changes the knob.
        sized: whether the estimators choose the knob by the number of rows if it is None.
        is_log: whether a range on the command line is searched evenly over the orders of magnitude.
        meant: other words that people use for the knob.
        label: name in sentences; "" for the name itself. `symbol` is the name on a page; "" for the label.
    """

    name: str
    board: Board
    _: KW_ONLY
    kind: Literal["number", "whole", "word", "flag", "text"] = "number"
    shape: Literal["one", "several", "layer"] = "one"
    count: int | None = None
    low: float = 0.0
    high: float = math.inf
    is_low_open: bool = False
    is_high_open: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()
    basic: bool = False
    off: float | None = None
    needs: Literal["", "numbers", "classes", "pictures", "dev"] = ""
    of: str = ""
    to_own: Callable[[Any, Around], Any] | None = None
    from_own: Callable[[Any, Around], Any] | None = None
    unit: Literal["", "cost", "row", "update"] = ""
    usual: Usual | Sequence[Any] | None = None
    published: Any = None
    remedy: str = ""
    trials: tuple[float, ...] = ()
    factors: tuple[float, ...] = ()
    turned: bool = True
    sized: bool = False
    is_log: bool = False
    meant: tuple[str, ...] = ()
    label: str = ""
    symbol: str = ""
    metavar: str = ""
    help: str = ""

    @property
    def own(self) -> str:
        """The knob's name in `Config`."""
        return self.of or self.name

    @property
    def words(self) -> str:
        """The name of the knob in sentences."""
        return self.label or self.name.replace("_", " ")

    @property
    def title(self) -> str:
        """The name of the knob on a page."""
        return self.symbol or self.words

    @property
    def is_number(self) -> bool:
        """Whether the knob takes single numbers, which can be searched in a range."""
        return self.kind in ("number", "whole") and self.shape != "several"

    def require(self, value: object) -> None:
        """Raise BadInput for a value that breaks the knob's rule, where the value is as a config has it."""
        if value is None and self.optional:
            return
        if self.kind == "word":
            self._require_choice(value)
        elif self.kind in ("number", "whole"):
            self._require_numbers(value)

    def _require_choice(self, value: object) -> None:
        if value not in self.choices:
            raise BadInput(
                f"{self.name} must be one of {', '.join(self.choices)}",
                found=f"{self.name}={value!r}",
                remedy="Choose one of them",
            )

    def _require_numbers(self, value: object) -> None:
        if self.shape == "several" and not isinstance(value, tuple):
            remedy = f"Write {self.name}=({value!r},)"
            raise BadInput(f"{self.name} must have several numbers", found=f"{self.name}={value!r}", remedy=remedy)
        several = value if isinstance(value, tuple) and self.shape != "one" else (value,)
        if self.count is not None and len(several) != self.count:
            raise BadInput(
                f"{self.name} must be two numbers",
                found=f"{self.name}={value!r}",
                remedy="Pass both, such as (0.9, 0.999)",
            )
        if len(several) > MOST_VALUES:
            raise BadInput(
                f"{self.name} must have at most {MOST_VALUES:,} values", found=f"{len(several):,}", remedy="Give fewer"
            )
        for place, one in enumerate(several):
            if self.kind == "whole":
                self._require_whole(f"{self.name}[{place}]" if self.shape == "several" else self.name, one)
            else:
                self._require_range(one)

    def _require_whole(self, name: str, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < self.low:
            raise BadInput(
                f"{name} must be a whole number, at least {self.low:g}",
                found=f"{name}={value!r}",
                remedy=f"Pass such a number for {name}",
            )

    def _require_range(self, value: object) -> None:
        left = "(" if self.is_low_open else "["
        right = ")" if self.is_high_open or math.isinf(self.high) else "]"
        rule = f"{self.name} must be finite and in {left}{self.low:g}, {self.high:g}{right}"
        found = f"{self.name}={value!r}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadInput(rule, found=f"{found}, which is not a number", remedy="Pass one number")
        above = value > self.low if self.is_low_open else value >= self.low
        below = value < self.high if self.is_high_open else value <= self.high
        if not (math.isfinite(value) and above and below):
            raise BadInput(rule, found=found, remedy=f"Choose a value in that range for {self.name}")


# fmt: off
_TABLE = (
    Knob("widths", "network", kind="whole", shape="several", low=1, basic=True, usual=SEARCHED_WIDTHS,
         metavar="W,W,...",
         help="Hidden widths, from input to output."),
    Knob("activation", "network", kind="word", choices=get_args(Activation), basic=True,
         usual=get_args(Activation),
         help="Activation function of the hidden layers: relu, tanh or gelu."),
    Knob("embedding", "network", kind="word", choices=get_args(Embedding), basic=True,
         help="Encoding of numbers: ple (piecewise linear, over bins), periodic (learned waves) or none."),
    Knob("bins", "network", kind="whole", low=2, basic=True, sized=True, metavar="N",
         help="Maximum number of bins per numeric column."),
    Knob("module", "network", kind="text", turned=False),
    Knob("kind", "network", kind="word", choices=get_args(NetworkKind), needs="pictures", turned=False,
         help="Kind of network: mlp, or conv for pictures."),
    Knob("optimizer", "optimization", kind="word", choices=get_args(OptimizerKind), basic=True,
         help="Optimizer: adam, sgd or momentum."),
    Knob("lr", "optimization", is_low_open=True, basic=True, sized=True, is_log=True, meant=("learning_rate",),
         factors=(0.5, 5.0), metavar="LR",  # a larger rate regularizes until it diverges
         help="Peak learning rate."),
    Knob("epochs", "optimization", kind="whole", low=1, basic=True, sized=True, factors=(0.5, 1, 2), metavar="N",
         help="Number of passes over the training rows."),
    Knob("batch_size", "optimization", kind="whole", low=1, basic=True, turned=False, sized=True, metavar="N",
         help="Number of rows per update."),
    Knob("schedule", "optimization", kind="word", choices=get_args(Schedule), basic=True, turned=False,
         help="Schedule of the learning rate: cosine, constant or coslog4."),
    Knob("momentum", "optimization", high=1.0, is_high_open=True, basic=True, turned=False, metavar="SHARE",
         help="Momentum, for --optimizer momentum."),
    Knob("betas", "optimization", shape="several", count=2, high=1.0, is_high_open=True, basic=True,
         turned=False, metavar="B1,B2",
         help="Decay of Adam's moving averages, for --optimizer adam."),
    Knob("beta2", "optimization", of="betas", to_own=lambda value, around: (around.beta1, value),
         from_own=lambda value, _: value[1], usual=Usual(0.95, 0.995, "log to one"), published=0.95),
    Knob("clip_norm", "optimization", is_low_open=True, optional=True, turned=False, metavar="NORM",
         help="Largest norm of the gradient; a larger gradient is scaled down."),
    Knob("early_stopping", "optimization", kind="whole", low=1, optional=True, needs="dev", metavar="POINTS",
         help="Stop after this many points of the learning curve without a lower dev loss; couples the fit to dev."),
    Knob("l2", "regularization", basic=True, off=0.0, unit="cost", is_log=True, meant=("lambda", "lambda_"),
         label="lambda", symbol="λ", metavar="LAMBDA",
         help="Strength lambda of the penalty lambda/(2m) ||W||^2."),
    Knob("weight_decay", "regularization", off=0.0, of="l2", to_own=lambda value, around: value * around.rows,
         from_own=lambda value, around: value / around.rows, unit="row", is_log=True),
    Knob("shrink", "regularization", off=0.0, of="l2",
         to_own=lambda value, around: value * around.rows / around.lr,
         from_own=lambda value, around: around.lr * value / around.rows, unit="update", is_log=True),
    Knob("keep_prob", "regularization", shape="layer", high=1.0, is_low_open=True, basic=True, off=1.0,
         usual=Usual(0.5, 0.98, off=0.3), published=0.85, label="keep_prob", metavar="P[,P...]",
         help="Share of hidden units that dropout keeps, one for all layers or one per layer."),
    Knob("dropout", "regularization", shape="layer", off=0.0, of="keep_prob",
         to_own=lambda value, _: tuple(1 - one for one in value) if isinstance(value, tuple) else 1 - value,
         from_own=lambda value, _: 1 - value, usual=Usual(0.02, 0.5, off=0.3), published=0.15),
    Knob("l1", "regularization", off=0.0, unit="cost", label="L1", metavar="L1",
         help="Strength of the penalty (l1/m) ||W||_1, which makes weights exactly zero."),
    Knob("l1_step", "regularization", off=0.0, of="l1",
         to_own=lambda value, around: value * around.rows / around.lr,
         from_own=lambda value, around: around.lr * value / around.rows, unit="update"),
    Knob("label_smoothing", "regularization", high=1.0, is_high_open=True, off=0.0, needs="classes",
         usual=Usual(5e-3, 0.2, "log", off=0.5), published=0.1, remedy="smooth_labels", trials=(0.05, 0.15),
         metavar="SHARE",
         help="Share of each label that is spread evenly over all classes."),
    Knob("input_noise", "regularization", off=0.0, needs="numbers", usual=Usual(0.01, 0.3, off=0.7),
         remedy="augment", trials=(0.1, 0.3), metavar="SD",
         help="Standard deviation of the noise added to standardized numbers."),
    Knob("input_keep_prob", "regularization", high=1.0, is_low_open=True, off=1.0,
         usual=Usual(0.5, 0.98, off=0.7), published=0.8, turned=False, metavar="P",
         help="Share of the inputs that dropout keeps: whole columns of numbers and categories, or pixels."),
    Knob("mixup", "regularization", off=0.0, usual=Usual(0.05, 1.0, off=0.7), remedy="augment",
         trials=(0.2, 1.0), metavar="ALPHA",
         help="Mix pairs of rows, with shares drawn from Beta(alpha, alpha)."),
    Knob("ema", "regularization", high=1.0, is_high_open=True, off=0.0, usual=Usual(0.9, 0.999, "log to one"),
         published=0.99, remedy="average_weights", trials=(0.99, 0.997), label="EMA decay", metavar="DECAY",
         help="Decay of the moving average of the weights, such as .99."),
    Knob("augment", "regularization", off=0.0, needs="pictures", metavar="S",
         help="Strength of the random changes to pictures; 1 is strong."),
    Knob("l2_schedule", "regularization", kind="word", choices=get_args(Strength), usual=get_args(Strength),
         published="flat_cos", turned=False,
         help="Schedule of l2 and l1: constant or flat_cos."),
    Knob("keep_prob_schedule", "regularization", kind="word", choices=get_args(Strength),
         usual=get_args(Strength), published="flat_cos", turned=False,
         help="Schedule of dropout: constant or flat_cos."),
    Knob("more_data", "data", kind="text"),
    Knob("reweight", "data", high=1.0),
    Knob("drop_rows", "data", kind="flag"),
)
# fmt: on

NAMES: Mapping[str, Knob] = {knob.name: knob for knob in _TABLE}
"""Every name, including second names."""
LAMBDA: Mapping[str, str] = {"lambda": "l2", "λ": "l2"}
"""What people call a knob whose own name is another, since Python has taken the word."""
KNOBS: Mapping[str, Knob] = {knob.name: knob for knob in _TABLE if not knob.of}
"""The fields of a config, board by board."""
OFF: Mapping[str, float] = {knob.name: knob.off for knob in _TABLE if knob.off is not None}
"""The value at which each regularizer does nothing, under every name of it."""
SWEPT = tuple(name for name in OFF if name in KNOBS and KNOBS[name].basic)
"""lambda and keep_prob, the regularizers that a sweep searches unless others are named."""
OTHER_REGULARIZERS = tuple(name for name in OFF if name in KNOBS and not KNOBS[name].basic)
"""Regularizers other than lambda and keep_prob."""


def knobs_of(board: str) -> list[Knob]:
    """Return the knobs of one board, in order."""
    return [knob for knob in KNOBS.values() if knob.board == board]


def own_name(name: str) -> str:
    """Return the name of a knob in `Config`."""
    return NAMES[name].own if name in NAMES else name
