"""The public surface: sorted, imported late, and usable twice in a fresh process."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import shutil
import subprocess
import sys

import pytest

import wellfit as wf

DATA = """
import numpy as np, pyarrow as pa, pathlib, sys
rng = np.random.default_rng(0)
x = rng.normal(size=(120, 2))
frame = pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "yes", "no")})
folder = pathlib.Path("FOLDER")
import wellfit as wf
"""
CONFIG = "wf.Config(optimization=wf.Optimization(epochs=2))"
RUN = 'experiment = wf.run(frame, target="y", budget="60updates", out=folder / "e.wellfit")'
EXPERIMENT = 'experiment = wf.open_experiment(folder / "e.wellfit")'
CALLS = {
    "audited_error": (
        "wrong = rng.random(120) < .2; rows = np.arange(40)",
        "print(wf.audited_error(wrong, wrong[rows], rows).clean)",
    ),
    "decompose": ("", "print(wf.decompose(x[:, 0], np.stack([x[:, 0], x[:, 1]]), loss='squared').variance)"),
    "averaging": ("", "wf.averaging(.9, .9999)"),
    "check": (
        "import torch; torch.manual_seed(0); net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Linear(8, 2))",
        "print(wf.check(net, x, x[:, 0] > 0).leading)",
    ),
    "choice": ("", "wf.choice('relu', 'gelu')"),
    "compare": (EXPERIMENT, "assert wf.compare(experiment, experiment).difference.value == 0"),
    "decay": ("", "wf.decay(rows=45_000)"),
    "diagnose": (EXPERIMENT, "print(wf.diagnose(experiment, human_error=.01))"),
    "diagnose_errors": ("", "print(wf.diagnose_errors(train=.01, dev=.11, human_error=0., dev_rows=1000))"),
    "diagnose_estimator": (
        "from sklearn.tree import DecisionTreeClassifier",
        "print(wf.diagnose_estimator(DecisionTreeClassifier(), x, x[:, 0] > 0))",
    ),
    "diagnose_predictions": ("y = [0, 1, 1, 0] * 9", "print(wf.diagnose_predictions(train=(y, y), dev=(y, y[::-1])))"),
    "epochs": ("", "wf.epochs(5, 100)"),
    "errors": (EXPERIMENT, "print(wf.errors(experiment))"),
    "explain": ("", "print(wf.explain('WF102'))"),
    "export": (
        f"{EXPERIMENT}; places = iter('ab')",
        "assert wf.export(experiment, folder / next(places))",
    ),
    "hidden_error": (
        "groups = np.repeat(np.arange(30), 4)",
        "print(wf.hidden_error(groups, lambda train, test, seed: len(test) / len(train)))",
    ),
    "keep_prob": ("", "wf.keep_prob(.3)"),
    "label_disagreement": ("", "print(wf.label_disagreement(np.tile([[2, 1], [3, 0]], (20, 1))).optimal)"),
    "learning_rate": ("", "wf.learning_rate(1e-5, 1e-1)"),
    "load_model": (f"{EXPERIMENT}; wf.export(experiment, folder / 'm')", "wf.load_model(folder / 'm').predict(frame)"),
    "log_uniform": ("", "wf.log_uniform(10, 1e4)"),
    "mc_dropout": (
        "import torch; net = torch.nn.Dropout()",
        "print(wf.mc_dropout(net, x, 3).mean)",
    ),
    "open_experiment": (EXPERIMENT, "print(wf.open_experiment(experiment.path))"),
    "param_groups": ("import torch", "wf.param_groups(torch.nn.Linear(2, 1), l2=1.0, rows=120)"),
    "optimizer": ("", "wf.optimizer('adam', 'sgd')"),
    "plan_sizes": ("", "wf.plan_sizes(1000)"),
    "predict": (EXPERIMENT, "assert wf.predict(experiment, frame).num_rows == 120"),
    "report": (EXPERIMENT, "assert wf.report(experiment).is_file()"),
    "rows": ("", "wf.rows(100, 10_000)"),
    "rows_for_margin": ("", "assert wf.rows_for_margin(error=.05, margin=.01) == 1838"),
    "rows_to_detect": ("", "assert wf.rows_to_detect(difference=.01, disagreement=.05) == 3923"),
    "run": ("", RUN),
    "size": ("", "wf.size(32, 1024)"),
    "split": ("", "print(wf.split(frame, target='y'))"),
    "strength": ("", "wf.strength(0, 30)"),
    "sweep": ("split = wf.split(frame, target='y')", f"wf.sweep(split, {CONFIG}, over={{'l2': [0., 1.]}})"),
    "train": ("split = wf.split(frame, target='y')", f"print(wf.train(split, {CONFIG}).losses)"),
    "uniform": ("", "wf.uniform(.5, 1)"),
    "unseal": (EXPERIMENT, "print(wf.unseal(experiment, again=True).error)"),
}


def test_the_public_names_are_sorted_and_all_there():
    assert sorted(wf.__all__) == wf.__all__
    assert all(hasattr(wf, name) for name in wf.__all__)
    assert dir(wf) == wf.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'fit'"):
        _ = wf.fit


def test_importing_wellfit_imports_nothing_heavy():
    code = "import sys, wellfit; sys.exit(bool({'torch', 'numpy', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_function_is_called_below():
    functions = {name for name in wf.__all__ if inspect.isfunction(getattr(wf, name))}
    assert functions == set(CALLS)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Run code in a process that knows nothing of wellfit, forked from one that knows these three packages already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["numpy", "pyarrow", "torch"])
    written = tmp_path_factory.mktemp("fresh") / "stderr"

    def run(code):
        told = f"import os, sys; os.environ['WELLFIT_HOME'] = {os.environ['WELLFIT_HOME']!r}"
        told += f"; sys.stderr = open({str(written)!r}, 'w')"
        process = context.Process(target=exec, args=(f"{told}\n{code}", {"__name__": "fresh"}))
        process.start()
        process.join()
        assert process.exitcode == 0, written.read_text()

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory, fresh):
    """The folder of an experiment."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WELLFIT_HOME", str(folder / "registry"))
        fresh("\n".join([DATA.replace("FOLDER", str(folder)), RUN]))
    return folder / "e.wellfit"


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_public_function_works_twice_in_a_fresh_process(name, fresh, tmp_path, request):
    before, call = CALLS[name]
    if EXPERIMENT in before:
        shutil.copytree(request.getfixturevalue("made"), tmp_path / "e.wellfit")
    fresh("\n".join([DATA.replace("FOLDER", str(tmp_path)), before, call, call]))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_public_function_takes_at_most_three_positional_parameters_and_explains_itself(name):
    function = getattr(wf, name)
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 3
    assert inspect.getdoc(function)


ANY_NAME = {"diagnose", "diagnose_estimator", "param_groups", "sweep"}
"""Functions that hand names on to a reference or to an optimizer, which checks them."""
MADE_BY_USERS = {"Config", "Fit", "Network", "Optimization", "Ray", "Regularization", "Rungs", "SealedTest", "Study"}
MADE_BY_USERS |= {"NetClassifier", "NetClassifierCV", "NetRegressor", "NetRegressorCV"}


@pytest.mark.parametrize("name", sorted((set(CALLS) | MADE_BY_USERS) - ANY_NAME))
def test_a_wrong_argument_name_is_answered_with_the_nearest_one(name):
    public = getattr(wf, name)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [each.name for each in inspect.signature(public).parameters.values() if each.kind in kinds]
    meant = max(known, key=len, default="")
    answer = f"Did you mean {meant}?" if meant else "The names are "
    with pytest.raises((wf.BadInput, TypeError)) as told:
        public(**{f"{meant}s": 1})
    assert answer in str(told.value)


@pytest.mark.parametrize("call", [wf.diagnose, wf.sweep, wf.diagnose_predictions, wf.diagnose_errors])
def test_a_wrong_name_of_a_reference_is_answered_with_the_nearest_one(call):
    with pytest.raises(wf.BadInput, match=r"Did you mean '?human_error'?"):
        call("e.wellfit", humen_error=0.01)
