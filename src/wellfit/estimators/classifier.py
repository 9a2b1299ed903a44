"""The four estimators: one for classes and one for numbers, each also in a version with cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from wellfit.estimators.arguments import store, takes
from wellfit.estimators.net import BaseNetClassifier, BaseNetRegressor
from wellfit.estimators.searching import BaseSearch

WIDTHS = (128, 128)


class RegressorArguments(TypedDict, total=False):
    """Arguments of every estimator: knobs by their names in `Config` or by second names, and the others."""

    widths: tuple[int, ...]
    activation: str
    embedding: str
    bins: int | None
    optimizer: str
    lr: float | None
    epochs: int | None
    batch_size: int | None
    schedule: str
    momentum: float
    betas: tuple[float, float]
    clip_norm: float | None
    l2: float
    weight_decay: float | None
    l1: float
    keep_prob: float | tuple[float, ...]
    dropout: float | tuple[float, ...] | None
    input_noise: float
    input_keep_prob: float
    mixup: float
    ema: float
    l2_schedule: str
    keep_prob_schedule: str
    networks: int
    random_state: Any


class ClassifierArguments(RegressorArguments, total=False):
    """The same arguments, and those that apply only to classes."""

    label_smoothing: float
    class_weight: Any


class SearchArguments(TypedDict, total=False):
    """Arguments of a search by cross-validation."""

    cv: Any
    over: Mapping[str, Any] | Sequence[str] | str | None
    members: int | None
    goal: str | None
    rule: str
    human_error: float | None
    n_jobs: int | None


class RegressorCVArguments(SearchArguments, RegressorArguments, total=False):
    """The arguments of the network together with those of the search."""


class ClassifierCVArguments(SearchArguments, ClassifierArguments, total=False):
    """The arguments of the network together with those of the search."""


class NetClassifier(BaseNetClassifier):
    """A neural network for classes, as a scikit-learn classifier. By default nothing is regularized.

        wf.NetClassifier(l2=300., keep_prob=.8).fit(X, y).predict_proba(X_new)

    The cost is J = (1/m) sum L + l2/(2m) ||W||^2 + (l1/m) ||W||_1, with L the cross-entropy, m the training rows (the
    sum of the weights) and W the weight matrices. Scaling of numbers, filling of missing values and encoding of
    categories are learned from the training rows alone.

    Args:
        widths: units of each hidden layer, from input to output.
        activation: "relu", "tanh" or "gelu".
        embedding: "ple" adds a piecewise-linear encoding of numbers over quantile bins, "periodic" adds learned
            features of learned waves of each number, "none" adds nothing.
        bins: maximum number of bins per numeric column; None: 4 to 128, fewer for few rows or many columns.
        optimizer: "adam", "sgd" or "momentum".
        lr: learning rate at the peak of the schedule; None: 0.002.
        epochs: passes over the distinct training rows; None: enough for 2,500 updates, but at least 16, and at most 128
            if no row is repeated.
        batch_size: rows per update; None: 64 to 1,024, depending on the number of rows.
        schedule: "cosine", "constant" or "coslog4".
        momentum: momentum of the optimizer "momentum".
        betas: decay of the moving averages of the optimizer "adam".
        clip_norm: the largest norm of a gradient; None: no limit.
        l2: lambda.
        weight_decay: lambda / m, another way to set l2.
        l1: the l1 of the cost; it makes weights exactly zero.
        keep_prob: share of hidden units that dropout keeps: one value for all layers, or one for each.
        dropout: 1 - keep_prob, another way to set it.
        label_smoothing: share of every label that is spread over all classes.
        input_noise: standard deviation of the noise on scaled numbers.
        input_keep_prob: share of the columns (numbers and categories) that dropout keeps in each row.
        mixup: alpha of the Beta distribution from which the weights for mixing two rows are drawn.
        ema: decay of the moving average of the weights, which replaces the weights for prediction.
        l2_schedule: schedule of l2 and l1, "constant" or "flat_cos".
        keep_prob_schedule: schedule of dropout, "constant" or "flat_cos".
        class_weight: None, "balanced", or a mapping from class to weight.
        networks: number of networks that are trained with different seeds and averaged.
        random_state: seed of weights, batches and noise; an integer gives the same network every time. None draws one
            number from numpy's global generator, as in scikit-learn; none of the caller's other generators is used.

    Attributes:
        classes_: the classes [classes], in the order of `predict_proba`.
        config_: the config that was trained.
        model_: the network or networks, with the transforms.
        n_iter_: number of epochs that were trained.
        n_features_in_: number of features.
        feature_names_in_: names of the features [features], if X was a frame.
    """

    @takes(ClassifierArguments, widths=WIDTHS, networks=1)
    def __init__(self, **arguments: Unpack[ClassifierArguments]) -> None:
        store(self, arguments)


class NetClassifierCV(BaseNetClassifier, BaseSearch):
    """A neural network for classes that chooses lambda and keep_prob, or other knobs, by cross-validation.

        net = wf.NetClassifierCV(random_state=0).fit(X, y)
        net.best_config_.regularization, net.diagnosis_

    Every fold has its own transforms, and trains all candidates as one fused stack on the same batches with the same
    noise. The chosen candidate is trained again on all rows.

    Args:
        cv: a number of folds, the share of one dev split (0.2), a splitter, or an iterable of (train, dev); None: 5
            folds, or a dev split of a fifth above 20,000 rows. Folds that are made here are stratified and shuffled,
            and keep equal rows and the rows of one group (`fit(..., groups=...)`) together.
        over: the search space: a mapping from knobs to values (lists, `wf.uniform`, `wf.log_uniform`), or names of
            knobs, which get their usual ranges; None: a grid of l2 x keep_prob that includes exactly 0 and 1.
        members: number of candidates that are trained on every fold; None: at most 16, or the whole grid if one is
            given.
        goal: the goal whose loss ranks the candidates: "error", "log_loss", "balanced_error", "auc" or "f1"; None:
            "error".
        rule: "best" trains the candidate with the lowest dev error, "one_se" the simplest within one standard error.
        human_error: a person's error, for the diagnosis.
        n_jobs: number of folds that are trained at the same time, in threads; None: 1; -1: as many as there are cores.
        networks: number of networks that are trained on all rows with the chosen knobs and different seeds, and
            averaged. The candidates are single networks, so an average is a little better than their errors show.
        **others: every other argument is a knob of all candidates, as in `NetClassifier`.

    Attributes:
        best_config_: the candidate with the lowest dev error, over the dev rows of all folds.
        one_se_config_: the simplest candidate within one standard error of it.
        config_: the one of these two that was trained on all rows.
        l2_path_: the lambdas that were tried with the other knobs of the best candidate, in rising order [L].
        dev_error_path_: their dev errors, in the goal's loss [L, folds].
        cv_results_: "config", "train_error" and "dev_error" [candidates, folds], "mean_dev_error", "status".
        diagnosis_: the diagnosis of the trained candidate on the folds, which shows where its error comes from when
            printed.
        model_: the networks with their transforms.
        classes_: the classes [classes], in the order of `predict_proba`.
        n_iter_: number of epochs of the last training run.
        n_features_in_: number of features.
        feature_names_in_: names of the features [features], if X was a frame.
    """

    @takes(ClassifierCVArguments, widths=WIDTHS, networks=4, rule="best")
    def __init__(self, **arguments: Unpack[ClassifierCVArguments]) -> None:
        store(self, arguments)


class NetRegressor(BaseNetRegressor):
    """A neural network for one or several numbers, as a scikit-learn regressor. By default nothing is regularized.

        wf.NetRegressor(l2=300., keep_prob=.8).fit(X, y).predict(X_new)

    The cost is J = (1/m) sum L + l2/(2m) ||W||^2 + (l1/m) ||W||_1, with L the squared error of the standardized target
    (or its mean over several targets), m the training rows (the sum of the weights) and W the weight matrices. Scaling
    of numbers, filling of missing values and encoding of categories are learned from the training rows alone.

    Args:
        widths: units of each hidden layer, from input to output.
        activation: "relu", "tanh" or "gelu".
        embedding: "ple" adds a piecewise-linear encoding of numbers over quantile bins, "periodic" adds learned
            features of learned waves of each number, "none" adds nothing.
        bins: maximum number of bins per numeric column; None: 4 to 128, fewer for few rows or many columns.
        optimizer: "adam", "sgd" or "momentum".
        lr: learning rate at the peak of the schedule; None: 0.002.
        epochs: passes over the distinct training rows; None: enough for 2,500 updates, but at least 16, and at most 128
            if no row is repeated.
        batch_size: rows per update; None: 64 to 1,024, depending on the number of rows.
        schedule: "cosine", "constant" or "coslog4".
        momentum: momentum of the optimizer "momentum".
        betas: decay of the moving averages of the optimizer "adam".
        clip_norm: the largest norm of a gradient; None: no limit.
        l2: lambda.
        weight_decay: lambda / m, another way to set l2.
        l1: the l1 of the cost; it makes weights exactly zero.
        keep_prob: share of hidden units that dropout keeps: one value for all layers, or one for each.
        dropout: 1 - keep_prob, another way to set it.
        input_noise: standard deviation of the noise on scaled numbers.
        input_keep_prob: share of the columns (numbers and categories) that dropout keeps in each row.
        mixup: alpha of the Beta distribution from which the weights for mixing two rows are drawn.
        ema: decay of the moving average of the weights, which replaces the weights for prediction.
        l2_schedule: schedule of l2 and l1, "constant" or "flat_cos".
        keep_prob_schedule: schedule of dropout, "constant" or "flat_cos".
        networks: number of networks that are trained with different seeds and averaged.
        random_state: seed of weights, batches and noise; an integer gives the same network every time. None draws one
            number from numpy's global generator, as in scikit-learn; none of the caller's other generators is used.

    Attributes:
        config_: the config that was trained.
        model_: the network or networks, with the transforms.
        n_iter_: number of epochs that were trained.
        n_features_in_: number of features.
        feature_names_in_: names of the features [features], if X was a frame.
    """

    @takes(RegressorArguments, widths=WIDTHS, networks=1)
    def __init__(self, **arguments: Unpack[RegressorArguments]) -> None:
        store(self, arguments)


class NetRegressorCV(BaseNetRegressor, BaseSearch):
    """A neural network for numbers that chooses lambda and keep_prob, or other knobs, by cross-validation.

        net = wf.NetRegressorCV(random_state=0).fit(X, y)
        net.best_config_.regularization, net.diagnosis_

    Every fold has its own transforms, and trains all candidates as one fused stack on the same batches with the same
    noise. The chosen candidate is trained again on all rows.

    Args:
        cv: a number of folds, the share of one dev split (0.2), a splitter, or an iterable of (train, dev); None: 5
            folds, or a dev split of a fifth above 20,000 rows. Folds that are made here are shuffled, and keep equal
            rows and the rows of one group (`fit(..., groups=...)`) together.
        over: the search space: a mapping from knobs to values (lists, `wf.uniform`, `wf.log_uniform`), or names of
            knobs, which get their usual ranges; None: a grid of l2 x keep_prob that includes exactly 0 and 1.
        members: number of candidates that are trained on every fold; None: at most 16, or the whole grid if one is
            given.
        goal: the goal whose loss ranks the candidates: "rmse", "mae" or "r2"; None: "rmse".
        rule: "best" trains the candidate with the lowest dev error, "one_se" the simplest within one standard error.
        human_error: a person's error, for the diagnosis.
        n_jobs: number of folds that are trained at the same time, in threads; None: 1; -1: as many as there are cores.
        networks: number of networks that are trained on all rows with the chosen knobs and different seeds, and
            averaged. The candidates are single networks, so an average is a little better than their errors show.
        **others: every other argument is a knob of all candidates, as in `NetRegressor`.

    Attributes:
        best_config_: the candidate with the lowest dev error, over the dev rows of all folds.
        one_se_config_: the simplest candidate within one standard error of it.
        config_: the one of these two that was trained on all rows.
        l2_path_: the lambdas that were tried with the other knobs of the best candidate, in rising order [L].
        dev_error_path_: their dev errors, in the goal's loss (squared for rmse) [L, folds]; for several targets, the
            mean over the targets, each standardized by the training rows.
        cv_results_: "config", "train_error" and "dev_error" [candidates, folds], "mean_dev_error", "status".
        diagnosis_: the diagnosis of the trained candidate on the folds, which shows where its error comes from when
            printed.
        model_: the networks with their transforms.
        n_iter_: number of epochs of the last training run.
        n_features_in_: number of features.
        feature_names_in_: names of the features [features], if X was a frame.
    """

    @takes(RegressorCVArguments, widths=WIDTHS, networks=4, rule="best")
    def __init__(self, **arguments: Unpack[RegressorCVArguments]) -> None:
        store(self, arguments)
