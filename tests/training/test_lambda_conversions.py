"""The conversion table of docs/lambda.md: one update with the converted lambda gives the same weights everywhere."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

import wellfit as wf
from oracle.loop import Training
from oracle.stack import new_network
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.training.noise import batch_order
from wellfit.training.tensors import Inputs, target_of

L2, ROWS, BATCH, LR = 40.0, 600, 50, 0.1
EXACT = {"rtol": 0, "atol": 1e-6}
SHUT = {"learning_rate": "constant", "momentum": 0.0, "shuffle": False, "hidden_layer_sizes": (7,)}


@pytest.fixture
def table():
    source = np.random.default_rng(0)
    X = source.normal(size=(ROWS, 5))
    return X, (X[:, 0] + X[:, 1] ** 2 + source.normal(size=ROWS) > 1).astype(int)


def net(outputs):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, outputs)).double()


def matrices(module):
    return [value for name, value in module.named_parameters() if "weight" in name]


def loss_of(module, X, y):
    outputs = module(torch.from_numpy(X))
    if outputs.shape[1] > 1:
        return nn.functional.cross_entropy(outputs, torch.from_numpy(y))
    return nn.functional.mse_loss(outputs[:, 0], torch.from_numpy(y).double())


def descend(optimizer, cost):
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()


def written_out(module, X, y, *, lr=LR):
    """One update of gradient descent on J = (1/n) sum L + lambda/(2m) ||W||^2 over a batch."""
    module = copy.deepcopy(module)
    cost = loss_of(module, X, y) + L2 / (2 * ROWS) * sum((value**2).sum() for value in matrices(module))
    descend(torch.optim.SGD(module.parameters(), lr=lr), cost)
    return module


def assert_same(module, expected):
    for value, want in zip(module.parameters(), expected.parameters(), strict=True):
        np.testing.assert_allclose(value.detach().numpy(), want.detach().numpy(), **EXACT)


def test_weight_decay_of_torch_sgd_is_lambda_over_m(table):
    X, y = (each[:BATCH] for each in table)
    module = net(2)
    expected = written_out(module, X, y)
    descend(torch.optim.SGD(wf.param_groups(module, l2=L2, rows=ROWS), lr=LR), loss_of(module, X, y))
    assert_same(module, expected)


def test_l2_of_keras_is_lambda_over_2m(table):
    """Keras is not installed here: its penalty, l2 * sum(W^2), is written out."""
    X, y = (each[:BATCH] for each in table)
    module = net(2)
    expected = written_out(module, X, y)
    penalty = L2 / (2 * ROWS) * sum((value**2).sum() for value in matrices(module))
    descend(torch.optim.SGD(module.parameters(), lr=LR), loss_of(module, X, y) + penalty)
    assert_same(module, expected)


def as_scikit_learn(model, module):
    """The weights of a module in an MLP of scikit-learn that has been started."""
    first, last = module[0], module[2]
    model.coefs_ = [layer.weight.detach().numpy().T.copy() for layer in (first, last)]
    model.intercepts_ = [layer.bias.detach().numpy().copy() for layer in (first, last)]
    return model


def assert_same_mlp(model, expected):
    for layer, coefs, intercepts in zip((expected[0], expected[2]), model.coefs_, model.intercepts_, strict=True):
        np.testing.assert_allclose(coefs.T, layer.weight.detach().numpy(), **EXACT)
        np.testing.assert_allclose(intercepts, layer.bias.detach().numpy(), **EXACT)


def test_alpha_of_scikit_learns_mlp_is_lambda_times_batch_over_m(table):
    X, y = (each[:BATCH] for each in table)
    y = np.arange(BATCH) % 3
    module = net(3)
    model = MLPClassifier(solver="sgd", alpha=L2 * BATCH / ROWS, learning_rate_init=LR, **SHUT)
    model.partial_fit(X, y, classes=[0, 1, 2])
    as_scikit_learn(model, module).partial_fit(X, y)
    assert_same_mlp(model, written_out(module, X, y))


def test_the_whole_fit_of_scikit_learns_mlp_takes_the_batches_that_alpha_was_converted_for(table):
    X, y = table
    model = MLPClassifier(
        solver="sgd",
        alpha=L2 * BATCH / ROWS,
        learning_rate_init=LR,
        batch_size=BATCH,
        max_iter=1,
        random_state=0,
        **SHUT,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        started = MLPClassifier(**{**model.get_params(), "learning_rate_init": 1e-12}).fit(X, y)
        model.fit(X, y)
    weights = [torch.from_numpy(each.copy()).requires_grad_() for each in (*started.coefs_, *started.intercepts_)]
    optimizer = torch.optim.SGD(
        [{"params": weights[:2], "weight_decay": L2 / ROWS}, {"params": weights[2:]}], lr=LR, weight_decay=0.0
    )
    for at in range(0, ROWS, BATCH):
        inside = torch.relu(torch.from_numpy(X[at : at + BATCH]) @ weights[0] + weights[2]) @ weights[1] + weights[3]
        wanted = torch.from_numpy(y[at : at + BATCH]).double()
        descend(optimizer, nn.functional.binary_cross_entropy_with_logits(inside[:, 0], wanted))
    for coefs, value in zip((*model.coefs_, *model.intercepts_), weights, strict=True):
        np.testing.assert_allclose(coefs, value.detach().numpy(), **EXACT)


def test_alpha_of_scikit_learns_regressor_counts_twice_against_the_whole_squared_error(table):
    """It halves the squared error: lambda = 2 alpha m / n_batch, and its lr is twice ours."""
    X, y = (each[:BATCH] for each in table)
    y = X[:, 0] - X[:, 2]
    module = net(1)
    model = MLPRegressor(solver="sgd", alpha=L2 * BATCH / (2 * ROWS), learning_rate_init=2 * LR, **SHUT)
    model.partial_fit(X, y)
    as_scikit_learn(model, module).partial_fit(X, y)
    assert_same_mlp(model, written_out(module, X, y))


def test_alpha_of_sgd_classifier_is_lambda_over_m(table):
    X, y = table
    model = SGDClassifier(loss="log_loss", alpha=L2 / ROWS, learning_rate="constant", eta0=LR)
    model.partial_fit(X[:1], y[:1], classes=[0, 1])
    w, b = torch.from_numpy(model.coef_[0].copy()).requires_grad_(), torch.tensor(model.intercept_, requires_grad=True)
    model.partial_fit(X[1:2], y[1:2])
    outputs = torch.from_numpy(X[1]) @ w + b
    cost = nn.functional.binary_cross_entropy_with_logits(outputs[0], torch.tensor(float(y[1]), dtype=torch.double))
    descend(torch.optim.SGD([{"params": [w], "weight_decay": L2 / ROWS}, {"params": [b]}], lr=LR), cost)
    np.testing.assert_allclose(model.coef_[0], w.detach().numpy(), **EXACT)


def test_c_of_logistic_regression_is_one_over_lambda(table):
    X, y = table
    model = LogisticRegression(C=1 / L2, tol=1e-10, max_iter=10_000).fit(X, y)
    w = torch.from_numpy(model.coef_[0]).requires_grad_()
    outputs = torch.from_numpy(X) @ w + float(model.intercept_[0])
    cost = nn.functional.binary_cross_entropy_with_logits(outputs, torch.from_numpy(y).double())
    (cost + L2 / (2 * ROWS) * (w**2).sum()).backward()
    np.testing.assert_allclose(w.grad.numpy(), 0, atol=1e-6)


def test_alpha_of_ridge_is_half_of_lambda(table):
    X, _ = table
    y = X[:, 0] - X[:, 2]
    model = Ridge(alpha=L2 / 2).fit(X, y)
    w = torch.from_numpy(model.coef_).requires_grad_()
    cost = nn.functional.mse_loss(torch.from_numpy(X) @ w + float(model.intercept_), torch.from_numpy(y))
    (cost + L2 / (2 * ROWS) * (w**2).sum()).backward()
    np.testing.assert_allclose(w.grad.numpy(), 0, atol=1e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_an_update_of_wellfit_is_one_of_torch_with_the_same_lambda(kind, task, request):
    data = request.getfixturevalue(task)
    knobs = Optimization(optimizer=kind, lr=0.01, epochs=1, batch_size=BATCH, schedule="constant")
    config = Config(
        network=Network(widths=(7,), embedding="none"), optimization=knobs, regularization=Regularization(l2=L2)
    )
    ours = new_network(data, config.network, seed=0, dtype=torch.float64)
    nn.init.normal_(ours.layers[-1].weight)  # zeros there would hide the layers below
    theirs = copy.deepcopy(ours)
    next(Training(config, data, network=ours, dtype=torch.float64).losses())
    groups = wf.param_groups(theirs, l2=L2, rows=data.train.rows, lr=knobs.lr)
    optimizer = torch.optim.SGD(groups) if kind == "sgd" else torch.optim.AdamW(groups, betas=knobs.betas)
    batch = torch.from_numpy(batch_order(seed=0, stream="shared", epoch=0, rows=data.train.rows)[:BATCH])
    rows = Inputs.of(data.train, dtype=torch.float64)[batch]
    target = target_of(data.train, data.preparation, dtype=torch.float64)[batch]
    outputs = theirs.from_encoded(theirs.encode(rows.numeric, rows.codes))
    fit = nn.functional.cross_entropy if task == "classification" else nn.functional.mse_loss
    descend(optimizer, fit(outputs if task == "classification" else outputs[:, 0], target))
    assert_same(ours, theirs)


def test_weight_decay_of_torch_adam_is_no_weight_decay():
    """Adam divides it by its moments: twice the decay hardly changes the first update, AdamW's shrink doubles."""

    def shrink(kind, decay):
        weight = nn.Parameter(torch.full((3,), 2.0, dtype=torch.double))
        optimizer = kind([weight], lr=0.01, weight_decay=decay)
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
        return 1 - float(weight[0].detach()) / 2

    assert shrink(torch.optim.AdamW, 0.5) == pytest.approx(0.01 * 0.5)
    assert shrink(torch.optim.AdamW, 1.0) == pytest.approx(0.01 * 1.0)
    assert shrink(torch.optim.Adam, 1.0) == pytest.approx(shrink(torch.optim.Adam, 0.5), rel=1e-6)
