"""scikit-learn's callbacks hear of a fit, and of every fold of a search."""

from __future__ import annotations

import pytest

import wellfit as wf

callback = pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")


class Listener:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.given: list[object] = []

    def setup(self, estimator, context):
        self.heard.append(("setup",))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.heard.append(("begin", context.task_name, context.task_id))
        self.given.append(metadata)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.heard.append(("end", context.task_name, context.task_id))
        self.given.append(fitted_estimator)

    def teardown(self, estimator, context):
        self.heard.append(("teardown",))


def test_a_fit_is_one_task(two_classes):
    X, y = two_classes
    listener = Listener()
    net = wf.NetClassifier(epochs=1, random_state=0).set_callbacks(listener)
    net.fit(X, y, sample_weight=[2.0] * len(y))
    assert listener.heard == [("setup",), ("begin", "fit", 0), ("end", "fit", 0), ("teardown",)]
    assert list(listener.given[0]) == ["sample_weight"]
    assert (listener.given[1].predict(X) == net.predict(X)).all()


def test_every_fold_of_a_search_is_a_task(one_number):
    listener = Listener()
    net = wf.NetRegressorCV(epochs=1, random_state=0, cv=2, over={"l2": [0.0, 1.0]}).set_callbacks(listener)
    net.fit(*one_number)
    tasks = [("fold", 0), ("fold", 1), ("all rows", 2)]
    inside = [(moment, *task) for task in tasks for moment in ("begin", "end")]
    assert listener.heard == [("setup",), ("begin", "fit", 0), *inside, ("end", "fit", 0), ("teardown",)]


def test_callbacks_are_torn_down_when_a_fit_fails(one_number):
    listener = Listener()
    net = wf.NetRegressorCV(epochs=1, cv=2, over={"lr": [1e30]}, optimizer="sgd").set_callbacks(listener)
    with pytest.raises(wf.Refusal):
        net.fit(*one_number)
    assert listener.heard[-1] == ("teardown",)


def test_scores_are_monitored(two_classes):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    wf.NetClassifier(epochs=10, random_state=0).set_callbacks(monitor).fit(*two_classes)
    (row,) = monitor.get_logs().data
    assert row["accuracy"] > 0.8
