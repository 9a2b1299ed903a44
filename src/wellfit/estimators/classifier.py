"""The four estimators: for classes and for numbers, each also with a search by cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from wellfit.estimators.arguments import store, takes
from wellfit.estimators.net import BaseNetClassifier, BaseNetRegressor
from wellfit.estimators.searching import BaseSearch

WIDTHS = (128, 128)


class RegressorArguments(TypedDict, total=False):
    """Knobs by their names in `Config`, second names, and the other arguments of every estimator."""

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
    """The same, and the arguments that make sense only for classes."""

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
    """Both."""


class ClassifierCVArguments(SearchArguments, ClassifierArguments, total=False):
    """Both."""


class NetClassifier(BaseNetClassifier):
    """A neural network for classes, as a scikit-learn classifier. Nothing is regularized unless asked for.

        wf.NetClassifier(l2=300., keep_prob=.8).fit(X, y).predict_proba(X_new)

    The cost is J = (1/m) sum L + l2/(2m) ||W||^2 + (l1/m) ||W||_1, with L the cross-entropy, m the training rows (the
    sum of the weights) and W the weight matrices. Numbers are scaled, missing values filled and categories encoded by
    the training rows alone.

    Args:
        widths: units of each hidden layer, from input to output.
        activation: "relu", "tanh" or "gelu".
        embedding: "ple" adds the piecewise-linear encoding of numbers over quantile bins, "none" adds nothing.
        bins: maximum number per numeric column; None: 4 to 128, fewer for few rows or many columns.
        optimizer: "adam", "sgd" or "momentum".
        lr: learning rate, the peak of the schedule; None: 0.002.
        epochs: passes over the distinct training rows; None: enough for 2,500 updates, but at least 16, and at most
            128 where no row is repeated.
        batch_size: rows of an update; None: 64 to 1,024, by the number of rows.
        schedule: "cosine", "constant" or "coslog4".
        momentum: for the optimizer "momentum".
        betas: decay of the moving averages of the optimizer "adam".
        clip_norm: the largest norm of a gradient; None: any.
        l2: lambda.
        weight_decay: lambda / m, another name for l2.
        l1: as in the cost; its zeros are exact.
        keep_prob: share of hidden units that dropout keeps, one for all layers or one for each.
        dropout: 1 - keep_prob, another name for it.
        label_smoothing: share of every label that is spread over all classes.
        input_noise: standard deviation of the noise on scaled numbers.
        input_keep_prob: share of the columns, numbers and categories, that dropout keeps in each row.
        mixup: alpha of the Beta distribution by which two rows are mixed.
        ema: decay of the moving average of the weights, which takes their place.
        l2_schedule: of l2 and l1, "constant" or "flat_cos".
        keep_prob_schedule: of dropout, "constant" or "flat_cos".
        class_weight: None, "balanced", or a mapping from class to weight.
        networks: how many are trained, each with a seed of its own, and averaged.
        random_state: of weights, batches and noise; an integer gives the same network every time. None draws one
            number from numpy's global generator, as in scikit-learn; no other generator of the caller is touched.

    Attributes:
        classes_: [classes] in the order of `predict_proba`.
        config_: the config that was trained.
        model_: the network, or networks, with the transforms.
        n_iter_: epochs made.
        n_features_in_: features.
        feature_names_in_: [features] where X was a frame.
    """

    @takes(ClassifierArguments, widths=WIDTHS, networks=1)
    def __init__(self, **arguments: Unpack[ClassifierArguments]) -> None:
        store(self, arguments)


class NetClassifierCV(BaseNetClassifier, BaseSearch):
    """A neural network for classes that chooses lambda and keep_prob, or other knobs, by cross-validation.

        net = wf.NetClassifierCV(random_state=0).fit(X, y)
        net.best_config_.regularization, net.diagnosis_

    Every fold trains all candidates as one fused stack, on the same batches and the same noise, with transforms of its
    own. The chosen candidate is trained again on all rows.

    Args:
        cv: a number of folds, the share of one dev split (0.2), a splitter, or an iterable of (train, dev); None: 5
            folds, and above 20,000 rows a dev split of a fifth. Folds that are made here are stratified and shuffled,
            keep equal rows together, and the rows of one group (`fit(..., groups=...)`).
        over: what is searched: knob -> values (lists, `wf.uniform`, `wf.log_uniform`), or names of knobs, which get
            their usual ranges; None: a grid of l2 x keep_prob, the exact 0 and 1 among them.
        members: how many candidates are trained on every fold; None: at most 16, or all of a grid that is given.
        goal: the one whose loss ranks them: "error", "log_loss", "balanced_error", "auc" or "f1"; None: "error".
        rule: "best" trains the candidate with the lowest dev error, "one_se" the simplest within one standard error.
        human_error: a person's error, for the diagnosis.
        n_jobs: folds that are trained at once, in threads; None: 1, -1: as many as there are cores.
        networks: how many are trained on all rows with the chosen knobs, each with a seed of its own, and averaged; the
            candidates are single networks, so that an average is a little better than their errors say.
        **others: every other argument is a knob of all candidates, as in `NetClassifier`.

    Attributes:
        best_config_: the candidate with the lowest dev error, over the dev rows of all folds.
        one_se_config_: the simplest one within one standard error of it.
        config_: of the two, the one that was trained on all rows.
        l2_path_: [L] the lambdas tried with the best candidate's other knobs, in rising order.
        dev_error_path_: [L, folds] their dev errors, in the goal's loss.
        cv_results_: "config", "train_error" and "dev_error" [candidates, folds], "mean_dev_error", "status".
        diagnosis_: where the error of the trained candidate comes from, by the folds; print it.
        model_: the networks with their transforms.
        classes_: [classes] in the order of `predict_proba`.
        n_iter_: epochs of the last training run.
        n_features_in_: features.
        feature_names_in_: [features] where X was a frame.
    """

    @takes(ClassifierCVArguments, widths=WIDTHS, networks=4, rule="best")
    def __init__(self, **arguments: Unpack[ClassifierCVArguments]) -> None:
        store(self, arguments)


class NetRegressor(BaseNetRegressor):
    """A neural network for one number or several, as a scikit-learn regressor. Nothing is regularized unless asked for.

        wf.NetRegressor(l2=300., keep_prob=.8).fit(X, y).predict(X_new)

    The cost is J = (1/m) sum L + l2/(2m) ||W||^2 + (l1/m) ||W||_1, with L the squared error of the
    standardized target (its mean over several), m the training rows (the sum of the weights) and W the weight matrices.
    Numbers are scaled, missing values filled and categories encoded by the training rows alone.

    Args:
        widths: units of each hidden layer, from input to output.
        activation: "relu", "tanh" or "gelu".
        embedding: "ple" adds the piecewise-linear encoding of numbers over quantile bins, "none" adds nothing.
        bins: maximum number per numeric column; None: 4 to 128, fewer for few rows or many columns.
        optimizer: "adam", "sgd" or "momentum".
        lr: learning rate, the peak of the schedule; None: 0.002.
        epochs: passes over the distinct training rows; None: enough for 2,500 updates, but at least 16, and at most
            128 where no row is repeated.
        batch_size: rows of an update; None: 64 to 1,024, by the number of rows.
        schedule: "cosine", "constant" or "coslog4".
        momentum: for the optimizer "momentum".
        betas: decay of the moving averages of the optimizer "adam".
        clip_norm: the largest norm of a gradient; None: any.
        l2: lambda.
        weight_decay: lambda / m, another name for l2.
        l1: as in the cost; its zeros are exact.
        keep_prob: share of hidden units that dropout keeps, one for all layers or one for each.
        dropout: 1 - keep_prob, another name for it.
        input_noise: standard deviation of the noise on scaled numbers.
        input_keep_prob: share of the columns, numbers and categories, that dropout keeps in each row.
        mixup: alpha of the Beta distribution by which two rows are mixed.
        ema: decay of the moving average of the weights, which takes their place.
        l2_schedule: of l2 and l1, "constant" or "flat_cos".
        keep_prob_schedule: of dropout, "constant" or "flat_cos".
        networks: how many are trained, each with a seed of its own, and averaged.
        random_state: of weights, batches and noise; an integer gives the same network every time. None draws one
            number from numpy's global generator, as in scikit-learn; no other generator of the caller is touched.

    Attributes:
        config_: the config that was trained.
        model_: the network, or networks, with the transforms.
        n_iter_: epochs made.
        n_features_in_: features.
        feature_names_in_: [features] where X was a frame.
    """

    @takes(RegressorArguments, widths=WIDTHS, networks=1)
    def __init__(self, **arguments: Unpack[RegressorArguments]) -> None:
        store(self, arguments)


class NetRegressorCV(BaseNetRegressor, BaseSearch):
    """A neural network for numbers that chooses lambda and keep_prob, or other knobs, by cross-validation.

        net = wf.NetRegressorCV(random_state=0).fit(X, y)
        net.best_config_.regularization, net.diagnosis_

    Every fold trains all candidates as one fused stack, on the same batches and the same noise, with transforms of its
    own. The chosen candidate is trained again on all rows.

    Args:
        cv: a number of folds, the share of one dev split (0.2), a splitter, or an iterable of (train, dev); None: 5
            folds, and above 20,000 rows a dev split of a fifth. Folds that are made here are shuffled, keep equal
            rows together, and the rows of one group (`fit(..., groups=...)`).
        over: what is searched: knob -> values (lists, `wf.uniform`, `wf.log_uniform`), or names of knobs, which get
            their usual ranges; None: a grid of l2 x keep_prob, the exact 0 and 1 among them.
        members: how many candidates are trained on every fold; None: at most 16, or all of a grid that is given.
        goal: "rmse", "mae" or "r2", the one whose loss ranks the candidates; None: "rmse".
        rule: "best" trains the candidate with the lowest dev error, "one_se" the simplest within one standard error.
        human_error: a person's error, for the diagnosis.
        n_jobs: folds that are trained at once, in threads; None: 1, -1: as many as there are cores.
        networks: how many are trained on all rows with the chosen knobs, each with a seed of its own, and averaged; the
            candidates are single networks, so that an average is a little better than their errors say.
        **others: every other argument is a knob of all candidates, as in `NetRegressor`.

    Attributes:
        best_config_: the candidate with the lowest dev error, over the dev rows of all folds.
        one_se_config_: the simplest one within one standard error of it.
        config_: of the two, the one that was trained on all rows.
        l2_path_: [L] the lambdas tried with the best candidate's other knobs, in rising order.
        dev_error_path_: [L, folds] their dev errors, in the goal's loss (squared for rmse); of several targets the mean
            over them, each standardized by the training rows.
        cv_results_: "config", "train_error" and "dev_error" [candidates, folds], "mean_dev_error", "status".
        diagnosis_: where the error of the trained candidate comes from, by the folds; print it.
        model_: the networks with their transforms.
        n_iter_: epochs of the last training run.
        n_features_in_: features.
        feature_names_in_: [features] where X was a frame.
    """

    @takes(RegressorCVArguments, widths=WIDTHS, networks=4, rule="best")
    def __init__(self, **arguments: Unpack[RegressorCVArguments]) -> None:
        store(self, arguments)
