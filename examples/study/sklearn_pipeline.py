"""A study of a scikit-learn pipeline."""

from __future__ import annotations

import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import wellfit as wf

X, y = load_breast_cancer(return_X_y=True)
X_train, X_dev, y_train, y_dev = train_test_split(X, y, test_size=0.5, random_state=0)


def fit(knobs: wf.Knobs) -> wf.Fit:
    """Train once; dev is the same rows in the same order in every fit."""
    warnings.simplefilter("ignore")
    net = MLPClassifier(
        (knobs["width"],),
        learning_rate_init=knobs["lr"],
        max_iter=knobs["epochs"],
        alpha=knobs["l2"],
        tol=0.0,
        random_state=knobs.seed,
    )
    model = make_pipeline(StandardScaler(), net).fit(X_train, y_train)
    return wf.Fit(train=(y_train, model.predict_proba(X_train)), dev=(y_dev, model.predict_proba(X_dev)))


if __name__ == "__main__":
    study = wf.Study(
        "sklearn_pipeline.wellfit",
        human_error=0.01,
        knobs={
            "width": wf.size(2, 128),
            "epochs": wf.epochs(3, 100),
            "lr": wf.learning_rate(1e-4, 1e-1),
            "l2": wf.decay(rows=len(X_train)),
        },
    )
    study.run(fit, budget="16fits")
    print(study)
