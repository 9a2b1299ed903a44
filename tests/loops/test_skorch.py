"""The skorch callback judges the net that fit returns, as its own predict does, or refuses before the first update."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error
from torch import nn
from torch.utils.data import SubsetRandomSampler

from wellfit.exceptions import BadInput

skorch = pytest.importorskip("skorch")
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "FutureWarning", "UserWarning")
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 8)).astype("float32")
Y = (RNG.random(300) < 1 / (1 + np.exp(-X[:, 0] - 0.5))).astype("int64")


class Net(nn.Module):
    def __init__(self, outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, outputs))

    def forward(self, x):
        return self.layers(x)


class Single(Net):
    def __init__(self):
        super().__init__(outputs=1)


class Flat(Single):
    def forward(self, x):
        return super().forward(x).squeeze(-1)


class Soft(Net):
    def forward(self, x):
        return super().forward(x).softmax(-1)


class Tupled(Net):
    def forward(self, x):
        return super().forward(x), self.layers[0](x)


def fit(kind, *given, y=Y, options=None, **more):
    from wellfit.loops.skorch import DiagnosisCallback

    torch.manual_seed(0)
    callback = DiagnosisCallback(write=lambda said: None, **(options or {}))
    before, after = more.pop("before", []), more.pop("after", [])
    callbacks = [*before, ("diagnosis", callback), *after]
    net = kind(*given, **{"max_epochs": 3, "lr": 0.1, "verbose": 0, "callbacks": callbacks, **more}).fit(X, y)
    return net, dict(net.callbacks_)["diagnosis"].diagnosis_


def parts(net, y):
    return [(X[part.indices], y[part.indices]) for part in net.get_split_datasets(X, y)]


def values(found):
    errors = found.to_json()["errors"]
    return [errors[part]["value"] for part in ("train", "dev")]


CLASSIFIERS = {
    "logits": (skorch.NeuralNetClassifier, Net, {"criterion": nn.CrossEntropyLoss}),
    "probabilities": (skorch.NeuralNetClassifier, Soft, {}),
    "a softmax too many": (skorch.NeuralNetClassifier, Soft, {"criterion": nn.CrossEntropyLoss}),
    "tuple": (skorch.NeuralNetClassifier, Tupled, {"criterion": nn.CrossEntropyLoss, "get_loss": True}),
    "a function of one's own": (
        skorch.NeuralNetClassifier,
        Net,
        {"criterion": nn.MultiMarginLoss, "predict_nonlinearity": lambda z: z.softmax(-1)},
    ),
}


@pytest.mark.parametrize("goal", ["error", "log_loss"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_are_those_of_the_nets_own_predictions(name, goal):
    kind, module, more = CLASSIFIERS[name]
    if more.get("get_loss"):

        class kind(kind):  # noqa: N801 - the class above, with a loss of two outputs
            def get_loss(self, returned, target, **_):
                return nn.functional.cross_entropy(returned[0], target)

    net, found = fit(kind, module, options={"goal": goal}, **{k: v for k, v in more.items() if k != "get_loss"})
    expected = [
        np.mean(net.predict(rows) != labels) if goal == "error" else log_loss(labels, net.predict_proba(rows))
        for rows, labels in parts(net, Y)
    ]
    assert values(found) == pytest.approx(expected, abs=1e-6)
    assert not any("recorded" in note for note in found.notes)


@pytest.mark.parametrize("threshold", [0.5, 0.7])
@pytest.mark.parametrize("batch", [-1, 1, 16])
def test_two_classes_of_one_logit_have_the_nets_threshold(batch, threshold):
    y = Y.astype("float32")
    net, found = fit(
        skorch.NeuralNetBinaryClassifier,
        Flat,
        y=y,
        threshold=threshold,
        iterator_valid__batch_size=batch,
        # So much decay that every logit looks like a probability.
        optimizer__weight_decay=0.1,
    )
    expected = [np.mean(net.predict(rows) != labels) for rows, labels in parts(net, y)]
    assert values(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("batch", [-1, 1, 16])
def test_counts_of_0_and_1_are_values(batch):
    y = np.minimum(RNG.poisson(0.3, 300), 2).astype("float32")[:, None]
    net, found = fit(skorch.NeuralNetRegressor, Single, y=y, lr=0.01, iterator_valid__batch_size=batch)
    expected = [mean_squared_error(labels, net.predict(rows)) ** 0.5 for rows, labels in parts(net, y)]
    assert found.goal.name == "rmse"
    assert values(found) == pytest.approx(expected, abs=1e-6)


def test_several_values_are_averaged_over():
    y = X[:, :2] * 2
    net, found = fit(skorch.NeuralNetRegressor, Net, y=y, lr=0.01)
    expected = [mean_squared_error(values, net.predict(rows)) ** 0.5 for rows, values in parts(net, y)]
    assert values(found) == pytest.approx(expected, abs=1e-6)


def test_the_rows_of_a_training_sampler_are_the_training_rows():
    chosen = list(range(0, 100))
    net, found = fit(
        skorch.NeuralNetClassifier,
        Net,
        criterion=nn.CrossEntropyLoss,
        iterator_train__sampler=SubsetRandomSampler(chosen),
        iterator_train__shuffle=False,
    )
    (rows, labels), _ = parts(net, Y)
    assert found.errors.train.rows == 100
    assert found.errors.train.value == pytest.approx(np.mean(net.predict(rows[chosen]) != labels[chosen]))


def best(kind):
    """Return a callback that loads the weights of the first epoch when training ends."""
    from skorch.callbacks import Callback, EarlyStopping

    class FirstEpoch(Callback):
        def on_epoch_end(self, net, **_):
            if len(net.history) == 1:
                self.weights_ = {name: value.clone() for name, value in net.module_.state_dict().items()}

        def on_train_end(self, net, **_):
            net.module_.load_state_dict(self.weights_)

    stopping = EarlyStopping(patience=30, load_best=True, monitor="train_loss", lower_is_better=False)
    return ("best", stopping if kind == "stopping" else FirstEpoch())


@pytest.mark.parametrize("kind", ["stopping", "own"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_the_net_that_fit_returns_is_judged_whatever_the_order(place, kind):
    net, found = fit(
        skorch.NeuralNetClassifier,
        Net,
        criterion=nn.CrossEntropyLoss,
        max_epochs=15,
        options={"goal": "log_loss"},
        **{place: [best(kind)]},
    )
    expected = [log_loss(labels, net.predict_proba(rows)) for rows, labels in parts(net, Y)]
    assert values(found) == pytest.approx(expected, abs=1e-6)
    last = net.history[-1, "valid_loss"]
    assert found.errors.dev.value != pytest.approx(last), "the best weights must not be the last ones here"


def test_training_is_the_same_with_the_callback_and_without():
    def trained(callbacks):
        torch.manual_seed(0)
        options = {"criterion": nn.CrossEntropyLoss, "max_epochs": 3, "verbose": 0, "callbacks": callbacks}
        return skorch.NeuralNetClassifier(Net, iterator_train__shuffle=True, **options).fit(X, Y).module_.state_dict()

    from wellfit.loops.skorch import DiagnosisCallback

    plain, watched = trained([]), trained([DiagnosisCallback(write=lambda said: None)])
    assert all(torch.equal(value, watched[name]) for name, value in plain.items())


class OwnLoss(nn.Module):
    def forward(self, outputs, target):
        return ((outputs - target) ** 4).mean()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: fit(skorch.NeuralNet, Flat, y=Y.astype("float32"), criterion=OwnLoss),
            "the kind of a module's outputs",
        ),
        (lambda: fit(skorch.NeuralNetClassifier, Net, options={"goal": "nothing"}), "goal"),
        (lambda: fit(skorch.NeuralNetClassifier, Net), "add up to 1"),
        (
            lambda: fit(skorch.NeuralNet, Net, y=np.eye(2, dtype="float32")[Y], criterion=nn.BCEWithLogitsLoss),
            "one label",
        ),
    ],
    ids=["unknown loss", "goal", "no probabilities before NLLLoss", "several labels"],
)
def test_what_cannot_be_diagnosed_is_refused_before_the_first_update(make, said, monkeypatch):
    def never(*_given, **_named):
        raise AssertionError("refused too late")

    monkeypatch.setattr(skorch.NeuralNet, "train_step", never)
    with pytest.raises(BadInput, match=said):
        make()


def test_what_the_criterion_does_not_tell_the_user_may():
    y = Y.astype("float32")
    net, found = fit(skorch.NeuralNet, Flat, y=y, criterion=OwnLoss, lr=0.01, options={"outputs": "values"})
    expected = [mean_squared_error(labels, net.predict(rows)) ** 0.5 for rows, labels in parts(net, y)]
    assert values(found) == pytest.approx(expected, abs=1e-6)
