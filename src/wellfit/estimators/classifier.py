"""NetClassifier: a neural network for classes, every knob by its name."""

from __future__ import annotations

from typing import Any

from wellfit.estimators.knobs import store
from wellfit.estimators.predictions import Classifies


class NetClassifier(Classifies):
    """A neural network for classes, as a scikit-learn classifier. Nothing is regularized unless asked for.

        wf.NetClassifier(l2=300., keep_prob=.8).fit(X, y).predict_proba(X_new)

    The cost is J = (1/m) sum L + l2/(2m) ||W||^2 + (l1/m) ||W||_1, with L the cross-entropy, m the training rows (the
    sum of the weights) and W the weight matrices. Numbers are scaled, missing values filled and categories encoded by
    the training rows alone.

    Args:
        widths: units of each hidden layer, from input to output.
        activation: "relu", "tanh" or "gelu".
        embedding: "ple" adds the piecewise-linear encoding of numbers over quantile bins, "none" adds nothing.
        bins: of each number; None: 4 to 128, fewer where rows are few or columns many.
        optimizer: "adam", "sgd" or "momentum".
        lr: learning rate, the peak of the schedule; None: 0.002.
        epochs: passes over the distinct training rows; None: enough for 2,500 updates, but at least 16, and at most
            128 where no row is repeated.
        batch_size: rows of an update; None: 64 to 1,024, by the number of rows.
        schedule: "cosine", "constant" or "coslog4".
        momentum: of the optimizer "momentum".
        betas: of the optimizer "adam".
        clip_norm: the largest norm of a gradient; None: any.
        l2: lambda.
        weight_decay: lambda / m, another name for l2.
        l1: as in the cost; its zeros are exact.
        keep_prob: share of hidden units that dropout keeps, one for all layers or one for each.
        dropout: 1 - keep_prob, another name for it.
        label_smoothing: share of every label that is spread over all classes.
        input_noise: standard deviation of the noise on scaled numbers.
        mixup: alpha of the Beta distribution by which two rows are mixed.
        ema: decay of the moving average of the weights, which takes their place.
        l2_schedule: of l2 and l1, "constant" or "flat_cos".
        keep_prob_schedule: of dropout, "constant" or "flat_cos".
        class_weight: None, "balanced", or a mapping from class to weight.
        networks: how many are trained, each with a seed of its own, and averaged.
        random_state: of weights, batches and noise; an integer gives the same network every time.

    Attributes:
        classes_: [classes] in the order of `predict_proba`.
        config_: the config that was trained.
        model_: the network, or networks, with the transforms.
        n_iter_: epochs made.
        n_features_in_: features.
        feature_names_in_: [features] where X was a frame.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn's contract: one argument a knob
        self,
        *,
        widths: tuple[int, ...] = (128, 128),
        activation: str = "relu",
        embedding: str = "ple",
        bins: int | None = None,
        optimizer: str = "adam",
        lr: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        schedule: str = "cosine",
        momentum: float = 0.9,
        betas: tuple[float, float] = (0.9, 0.999),
        clip_norm: float | None = None,
        l2: float = 0.0,
        weight_decay: float | None = None,
        l1: float = 0.0,
        keep_prob: float | tuple[float, ...] = 1.0,
        dropout: float | tuple[float, ...] | None = None,
        label_smoothing: float = 0.0,
        input_noise: float = 0.0,
        mixup: float = 0.0,
        ema: float = 0.0,
        l2_schedule: str = "constant",
        keep_prob_schedule: str = "constant",
        class_weight: Any = None,
        networks: int = 1,
        random_state: Any = None,
    ) -> None:
        store(self, locals())
