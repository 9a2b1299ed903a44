"""What `wellfit diagnose` says of a table of predictions that contradicts itself or has other names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.diagnosis.table import diagnose_table
from wellfit.exceptions import BadInput

RNG = np.random.default_rng(0)
ROWS = 600
PARTS = np.where(np.arange(ROWS) < 400, "train", "dev")
Y = RNG.integers(0, 2, ROWS)
P = np.clip(0.2 + 0.6 * Y + RNG.normal(0, 0.2, ROWS), 0.01, 0.99)
NAMES = np.array(["no", "yes"])


def table(**columns):
    return pa.table({"split": PARTS, "y": NAMES[Y], "p_no": 1 - P, "p_yes": P, **columns})


def test_predictions_that_contradict_the_probabilities_are_counted():
    said = NAMES[(P > 0.5).astype(int)]
    assert not any("column prediction" in note for note in diagnose_table(table(prediction=said)).notes)
    other = np.where(np.arange(ROWS) % 10 == 0, NAMES[(P <= 0.5).astype(int)], said)
    found = diagnose_table(table(prediction=other))
    assert any("in 60 of 600 rows the column prediction differs" in note for note in found.notes)
    assert found.errors.dev.value == pytest.approx((said != NAMES[Y])[400:].mean())
    scores = diagnose_table(table(prediction=P))
    assert any("not among the classes" in note for note in scores.notes)


@pytest.mark.parametrize("scale", [100, 100.2])
def test_percent_are_called_percent(scale):
    with pytest.raises(BadInput, match="these are percentages"):
        diagnose_table(table().set_column(2, "p_no", [scale * (1 - P)]).set_column(3, "p_yes", [scale * P]))


def test_scores_without_a_softmax_are_not_called_percent():
    with pytest.raises(BadInput, match="softmax"):
        diagnose_table(table().set_column(2, "p_no", [-3 * P]).set_column(3, "p_yes", [3 * P]))


RENAMED = {  # columns, the one that is missing, and what to do
    "another-usual-name": (["part", "y", "prediction"], "split", "Rename 'part'"),
    "near": (["Splits", "y", "prediction"], "split", "Rename 'Splits'"),
    "of-y": (["split", "y_true", "prediction"], "y", "Rename 'y_true'"),
    "of-the-prediction": (["split", "y", "y_pred"], "prediction", "Rename 'y_pred'"),
    "nothing-near": (["age", "y", "prediction"], "split", "Rename the column that contains it to 'split'"),
    "never-one-of-its-own": (["split", "prediction", "p_y"], "y", "Rename the column that contains it to 'y'"),
}


@pytest.mark.parametrize(("names", "missing", "said"), RENAMED.values(), ids=RENAMED)
def test_only_a_near_or_usual_name_is_to_be_renamed(names, missing, said):
    values = {"split": PARTS, "y": Y, "prediction": Y}
    with pytest.raises(BadInput, match=f"no column {missing}") as caught:
        diagnose_table(pa.table({name: values.get(name, PARTS) for name in names}))
    assert said in str(caught.value)


def test_names_of_probabilities_in_another_case_are_to_be_renamed():
    with pytest.raises(BadInput, match="Rename 'p_NO' to 'p_no' and 'p_YES' to 'p_yes'"):
        diagnose_table(table().rename_columns(["split", "y", "p_NO", "p_YES"]))


SCORES = {
    "percent": (100 * P, "Divide percent by 100"),
    "logits": (np.log(P / (1 - P)) * 3, "Apply the sigmoid"),
}


@pytest.mark.parametrize(("scores", "said"), SCORES.values(), ids=SCORES)
def test_scores_of_two_classes_are_asked_about(scores, said):
    columns = pa.table({"split": PARTS, "y": Y, "prediction": scores})
    with pytest.raises(BadInput, match=said):
        diagnose_table(columns)
    assert diagnose_table(columns, goal="rmse").goal.name == "rmse"


def test_probabilities_rounded_to_two_decimals_add_up_well_enough():
    third = np.full(ROWS, 0.33)
    columns = pa.table({"split": PARTS, "y": RNG.integers(0, 3, ROWS), "p_0": third, "p_1": third, "p_2": third})
    assert diagnose_table(columns).errors.dev.rows == 200


BESIDE = {"between-0-and-1": RNG.random(ROWS), "a-price": RNG.uniform(5, 500, ROWS)}


@pytest.mark.parametrize("values", BESIDE.values(), ids=BESIDE)
def test_a_feature_p_value_is_no_class(values):
    found = diagnose_table(table(p_value=values))
    assert found.errors == diagnose_table(table()).errors
    assert any(note.startswith("p_value: taken for features") for note in found.notes)
    assert "Dropped" not in next(each for each in found.findings if each.code == "WF202").evidence


OWN_PROBABILITIES = {  # beside a column prediction: classes, and columns that name them in another case or not all
    "columns-in-lower-case": (["No", "Yes"], ["p_no", "p_yes"]),
    "columns-in-upper-case": (["no", "yes"], ["p_NO", "p_YES"]),
    "not-of-every-class": (["No", "Yes", "Maybe"], ["p_No", "p_Yes"]),
}


@pytest.mark.parametrize(("classes", "columns"), OWN_PROBABILITIES.values(), ids=OWN_PROBABILITIES)
def test_probabilities_beside_predictions_are_no_features(classes, columns):
    y = np.array(classes)[np.arange(ROWS) % len(classes)]
    base = {"split": PARTS, "y": y, "prediction": y}
    seen = diagnose_table(pa.table({**base, **dict.fromkeys(columns, P)}))
    assert seen == diagnose_table(pa.table(base))


def test_a_class_that_no_row_has_keeps_its_column():
    third = np.full(ROWS, 0.2)
    columns = table(p_maybe=third).set_column(2, "p_no", [0.8 * (1 - P)]).set_column(3, "p_yes", [0.8 * P])
    found = diagnose_table(columns)
    assert found.errors == diagnose_table(table()).errors
    assert not any("taken for features" in note for note in found.notes)


ALONE = {
    "of-the-second": ({"y": NAMES[Y], "p_yes": P}),
    "of-the-first": ({"y": NAMES[Y], "p_no": 1 - P}),
    "of-1": ({"y": Y, "p_1": P}),
    "of-true": ({"y": Y == 1, "p_True": P}),
}


@pytest.mark.parametrize("columns", ALONE.values(), ids=ALONE)
def test_the_probability_of_one_of_two_classes_is_enough(columns):
    found = diagnose_table(pa.table({"split": PARTS, **columns}), goal="log_loss")
    assert found.errors.dev.value == pytest.approx(diagnose_table(table(), goal="log_loss").errors.dev.value)


ALONE_WRONG = {"percent": (100 * P, "Divide percent by 100"), "logits": (10 * P - 5, "Apply the sigmoid")}


@pytest.mark.parametrize(("values", "said"), ALONE_WRONG.values(), ids=ALONE_WRONG)
def test_scores_in_the_column_of_one_class_are_refused(values, said):
    with pytest.raises(BadInput, match=said):
        diagnose_table(pa.table({"split": PARTS, "y": Y, "p_1": values}))


def test_rows_without_a_prediction_contradict_nothing():
    said = [None if row % 3 == 0 else name for row, name in enumerate(NAMES[(P > 0.5).astype(int)])]
    assert not any("column prediction" in note for note in diagnose_table(table(prediction=said)).notes)
