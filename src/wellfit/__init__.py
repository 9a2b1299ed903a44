"""wellfit gives a neural network the fit it deserves.

The stages, in order: size, split, train, diagnose, sweep, run (all of it), unseal, predict, report.

    import wellfit as wf

    print(wf.diagnose_predictions(train=(y, p), dev=(y2, p2), human_error=.01))
    experiment = wf.run("churn.csv", target="churned", budget="10m")
    experiment.unseal()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from wellfit.base import rendering

if TYPE_CHECKING:
    from wellfit.api import diagnose, errors, export, predict, report, run, split, sweep, train, unseal
    from wellfit.checking.check import Check, check
    from wellfit.diagnosis.decompositions import Decomposition, decompose
    from wellfit.diagnosis.dev_overuse import Ladder
    from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis, diagnose_errors
    from wellfit.diagnosis.error_analysis import ErrorAnalysis
    from wellfit.diagnosis.findings import explain
    from wellfit.diagnosis.label_noise import audited_error
    from wellfit.diagnosis.leakage.groups import hidden_error
    from wellfit.diagnosis.predictions import diagnose_predictions
    from wellfit.diagnosis.reference.label_disagreement import label_disagreement
    from wellfit.estimators.classifier import NetClassifier, NetClassifierCV, NetRegressor, NetRegressorCV
    from wellfit.exceptions import BadInput, NoRoom, Refusal, WellfitError
    from wellfit.experiment.comparison import compare
    from wellfit.experiment.experiment import Experiment, open_experiment
    from wellfit.loops.diagnose_estimator import diagnose_estimator
    from wellfit.loops.mc_dropout import mc_dropout
    from wellfit.loops.param_groups import param_groups
    from wellfit.loops.sealed_test import SealedTest
    from wellfit.opening import Opening
    from wellfit.records.config import Config, Network, Optimization, Regularization
    from wellfit.records.outcome import Outcome, Status
    from wellfit.splits.split import Split
    from wellfit.stats.sizes import plan_sizes, rows_for_margin, rows_to_detect
    from wellfit.studies.fit import Fit
    from wellfit.studies.knobs import (
        averaging,
        choice,
        decay,
        epochs,
        keep_prob,
        learning_rate,
        optimizer,
        rows,
        size,
        strength,
    )
    from wellfit.studies.running import Knobs
    from wellfit.studies.study import Study, Trial
    from wellfit.sweeps.ray_cluster import Ray
    from wellfit.sweeps.rungs import Rungs
    from wellfit.sweeps.search import Sweep
    from wellfit.sweeps.space import log_uniform, uniform
    from wellfit.travel.folder import Model, load_model

__all__ = [
    "BadInput",
    "Check",
    "Config",
    "DataDiagnosis",
    "Decomposition",
    "Diagnosis",
    "ErrorAnalysis",
    "Experiment",
    "Fit",
    "Knobs",
    "Ladder",
    "Model",
    "NetClassifier",
    "NetClassifierCV",
    "NetRegressor",
    "NetRegressorCV",
    "Network",
    "NoRoom",
    "Opening",
    "Optimization",
    "Outcome",
    "Ray",
    "Refusal",
    "Regularization",
    "Rungs",
    "SealedTest",
    "Split",
    "Status",
    "Study",
    "Sweep",
    "Trial",
    "WellfitError",
    "audited_error",
    "averaging",
    "check",
    "choice",
    "compare",
    "decay",
    "decompose",
    "diagnose",
    "diagnose_errors",
    "diagnose_estimator",
    "diagnose_predictions",
    "epochs",
    "errors",
    "explain",
    "export",
    "hidden_error",
    "keep_prob",
    "label_disagreement",
    "learning_rate",
    "load_model",
    "log_uniform",
    "mc_dropout",
    "open_experiment",
    "optimizer",
    "param_groups",
    "plan_sizes",
    "predict",
    "report",
    "rows",
    "rows_for_margin",
    "rows_to_detect",
    "run",
    "size",
    "split",
    "strength",
    "sweep",
    "train",
    "uniform",
    "unseal",
]

_HOMES = {
    "api": ("diagnose", "errors", "export", "predict", "report", "run", "split", "sweep", "train", "unseal"),
    "checking.check": ("Check", "check"),
    "records.config": ("Config", "Network", "Optimization", "Regularization"),
    "diagnosis.findings": ("explain",),
    "diagnosis.decompositions": ("Decomposition", "decompose"),
    "diagnosis.dev_overuse": ("Ladder",),
    "diagnosis.diagnosis": ("DataDiagnosis", "Diagnosis", "diagnose_errors"),
    "diagnosis.error_analysis": ("ErrorAnalysis",),
    "diagnosis.label_noise": ("audited_error",),
    "diagnosis.leakage.groups": ("hidden_error",),
    "diagnosis.predictions": ("diagnose_predictions",),
    "diagnosis.reference.label_disagreement": ("label_disagreement",),
    "estimators.classifier": ("NetClassifier", "NetClassifierCV", "NetRegressor", "NetRegressorCV"),
    "exceptions": ("BadInput", "NoRoom", "Refusal", "WellfitError"),
    "experiment.comparison": ("compare",),
    "experiment.experiment": ("Experiment", "open_experiment"),
    "loops.diagnose_estimator": ("diagnose_estimator",),
    "loops.mc_dropout": ("mc_dropout",),
    "loops.param_groups": ("param_groups",),
    "loops.sealed_test": ("SealedTest",),
    "opening": ("Opening",),
    "records.outcome": ("Outcome", "Status"),
    "splits.split": ("Split",),
    "stats.sizes": ("plan_sizes", "rows_for_margin", "rows_to_detect"),
    "studies.fit": ("Fit",),
    "studies.knobs": (
        *("averaging", "choice", "decay", "epochs", "keep_prob", "learning_rate", "optimizer", "rows", "size"),
        "strength",
    ),
    "studies.running": ("Knobs",),
    "studies.study": ("Study", "Trial"),
    "sweeps.ray_cluster": ("Ray",),
    "sweeps.rungs": ("Rungs",),
    "sweeps.search": ("Sweep",),
    "sweeps.space": ("log_uniform", "uniform"),
    "travel.folder": ("Model", "load_model"),
}


def _reports() -> rendering.Renderer:
    from wellfit.reports import show

    return show


rendering.register(_reports)


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import wellfit` stays fast and torch is loaded late."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"wellfit.{home}"), name)
    raise AttributeError(f"module 'wellfit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
