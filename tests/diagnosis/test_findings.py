from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS, run_checks
from wellfit.diagnosis.diagnosis import diagnose_errors, diagnose_losses
from wellfit.diagnosis.facts import Columns, Facts, Training
from wellfit.diagnosis.findings import CATALOGUE, explain
from wellfit.diagnosis.gaps import Errors
from wellfit.diagnosis.optimal_error import no_reference
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate, wilson


def _status(findings, code):
    return next(found.status for found in findings if found.code == code)


OF_COLUMNS = ("WF201", "WF202", "WF204")


def _of_columns(columns):
    found = run_checks(Facts(goal=goal_named("error"), columns=columns))
    return [each for each in found if each.code in OF_COLUMNS]


def test_every_code_of_the_catalogue_has_a_check_that_looks_at_known_facts():
    assert sorted(CHECKS) == list(CATALOGUE)
    names = {each.name for each in fields(Facts)}
    assert [code for code, check in CHECKS.items() if not check.looks_at <= names] == []


def test_a_finding_stands_until_there_is_something_new_to_look_at():
    goal, dev = goal_named("error"), wilson(1, 9)
    errors = Errors(optimal=no_reference(dev.high), train=Estimate.fixed(0.1), dev=dev)
    earlier = run_checks(
        Facts(goal=goal, training=Training(status="diverged"), columns=Columns(dropped={"a": "constant"}))
    )
    later = run_checks(
        Facts(goal=goal, errors=errors, training=Training(status="finished"), columns=Columns(dropped={})), earlier
    )
    assert (_status(earlier, "WF105"), _status(later, "WF105")) == ("fired", "passed")
    assert (_status(earlier, "WF201"), _status(later, "WF201")) == ("fired", "fired")


@pytest.mark.parametrize("code", list(CATALOGUE))
def test_every_code_explains_itself(code):
    text = explain(code.lower())
    assert text.startswith(f"{code} ")
    assert "How it is computed." in text
    assert "What to do." in text


def test_an_unknown_code_names_the_nearest():
    with pytest.raises(BadInput, match="Did you mean WF102"):
        explain("WF1O2")


def test_every_diagnosis_holds_every_code_once():
    found = diagnose_errors(train=0.1, dev=0.1)
    assert [each.code for each in found.findings] == list(CHECKS)


def test_without_a_train_dev_set_the_mismatch_asks_for_a_sample():
    found = next(each for each in diagnose_errors(train=0.1, dev=0.1).findings if each.code == "WF301")
    assert found.status == "not applicable"
    assert "add a sample" in found.evidence
    assert "--deployment-data" in found.remedy


def test_findings_about_the_data():
    columns = Columns(
        dropped={"country": "constant", "row": "id-like: 900 of 900 differ", "age": "asked"},
        missing={"income": 0.4, "age": 0.1},
        unseen={"city": 0.0},
    )
    found = _of_columns(columns)
    assert {each.code: each.status for each in found} == dict.fromkeys(OF_COLUMNS, "fired")
    evidence = " ".join(each.evidence for each in found)
    assert all(word in evidence for word in ("country", "row", "40 % of income is missing"))
    assert not any(word in evidence for word in ("age", "city", "test"))


def test_clean_data_pass_and_no_data_are_not_applicable():
    clean = _of_columns(Columns(dropped={}, missing={}, unseen={}))
    assert {each.status for each in clean} == {"passed"}
    assert {each.status for each in _of_columns(None)} == {"not applicable"}


@pytest.mark.parametrize(
    ("ahead", "status"),
    [
        pytest.param(None, "fired", id="by-value"),
        pytest.param({"trees": Estimate(0.02, 0.01, 0.03, 1000)}, "fired", id="paired-and-certain"),
        pytest.param({"trees": Estimate(0.02, -0.01, 0.05, 1000)}, "passed", id="paired-and-within-noise"),
    ],
)
def test_trees_that_win_are_named(ahead, status):
    references = {"dummy": wilson(240, 1000), "trees": wilson(130, 1000)}
    dev = wilson(150, 1000)
    facts = Facts(
        goal=goal_named("error"),
        errors=Errors(optimal=no_reference(dev.high), train=Estimate.fixed(0.1), dev=dev),
        training=Training(status="finished", references=references, ahead=ahead or {}),
    )
    ended, wins = (CHECKS[code](facts) for code in ("WF105", "WF106"))
    assert (ended.status, wins.status) == ("passed", status)
    assert "trees" in wins.evidence
    assert ("2.0 points, at least 1.0 point" in wins.evidence) == (status == "fired" and ahead is not None)


@pytest.mark.parametrize(("rare", "status"), [(9, "fired"), (10, "passed")])
def test_a_class_of_few_rows_is_named(rare, status):
    counts = np.array([300, 200, rare])
    features = Features((Feature("x", "number"),), np.zeros((counts.sum(), 1)))
    rows = Rows(features=features, target=np.repeat([0, 1, 2], counts), classes=3)
    facts = Facts(
        goal=goal_named("error"), rows=OpenRows(train=rows, dev=rows, goal=goal_named("error"), levels=tuple("abc"))
    )
    found = CHECKS["WF214"](facts)
    assert found.status == status
    assert f"c: {rare} in train, {rare} in dev" in found.evidence


def test_facts_are_carried_into_the_diagnosis():
    facts = Facts(goal=goal_named("error"), training=Training(status="diverged", advice="Lower it."))
    found = diagnose_losses(
        goal=goal_named("error"), optimal=None, train=Estimate.fixed(0.1), dev=wilson(1, 9), facts=facts
    )
    assert _status(found.findings, "WF105") == "fired"
    assert _status(found.findings, "WF106") == "not applicable"
    assert "Lower it." in str(found)


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        pytest.param({"train": 0.01, "dev": 0.11, "human_error": 0.0}, ["overfits", "regularize"], id="variance"),
        pytest.param({"train": 0.15, "dev": 0.16, "human_error": 0.01}, ["underfits", "bigger network"], id="bias"),
        pytest.param({"train": 0.15, "dev": 0.16, "human_error": 0.13}, ["fits well", "nothing"], id="nothing"),
        pytest.param({"train": 0.01, "dev": 0.02}, ["give a human error"], id="no-reference"),
    ],
)
def test_the_headline_says_cause_and_action(errors, words):
    said = diagnose_errors(**errors, dev_rows=10_000).headline
    assert all(word in said for word in words), said


def test_bias_is_fought_first():
    kinds = [each.because for each in diagnose_errors(train=0.15, dev=0.3, human_error=0.0).prescription]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"avoidable_bias", "variance"}


def test_nothing_is_regularized_where_nothing_over_fits():
    kinds = {each.kind for each in diagnose_errors(train=0.2, dev=0.2, human_error=0.0).prescription}
    assert "regularize" not in kinds
    assert {"bigger_network", "train_longer", "better_optimizer", "architecture"} == kinds


@pytest.mark.parametrize("pictures", [True, False])
def test_pictures_are_first_changed_toward_deployment(pictures):
    """What is measured on rows of another kind is collected; pictures can also be made to look like it."""
    parts = {name: wilson(wrong, 10_000) for name, wrong in (("train", 50), ("train_dev", 80), ("dev", 1_500))}
    found = diagnose_losses(goal=goal_named("error"), optimal=None, **parts, pictures=pictures).prescription
    kinds = [each.kind for each in found if each.because == "mismatch"]
    assert kinds == ["augment_toward"] * pictures + ["collect_deployment_data", "reweight"]
