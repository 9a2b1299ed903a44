"""What a model gets wrong: ceilings that cover, doubtful labels, rows that were looked at and the others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.diagnosis.error_analysis import DOUBTFUL, Predictions, analyse, confident_class, read_tags
from wellfit.diagnosis.eyeball import ERRORS, Looked, by_chance, draw_eyeball, eyeball_ahead
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.goals import GOALS

ROWS, ERROR, TAGGED = 600, 0.15, 0.3


def _model(wrong, **more):
    """A model of two classes that is wrong in these rows."""
    said = np.where(wrong, 0.8, 0.2)
    predictions = np.column_stack([1 - said, said])
    return Predictions(target=np.zeros(len(wrong), np.int64), predictions=predictions, classes=("a", "b"), **more)


def _covered(rng, *, groups):
    """Draw a dev set, look at its first 40 errors, and return whether share and ceiling cover the truth."""
    if groups:
        codes = np.repeat(np.arange(ROWS // 5), 5)
        wrong = rng.random(ROWS) < np.repeat(rng.choice([0.05, 0.25], ROWS // 5), 5)
        tagged = np.repeat(rng.random(ROWS // 5) < TAGGED, 5)
    else:
        codes, wrong, tagged = None, rng.random(ROWS) < ERROR, rng.random(ROWS) < TAGGED
    model = _model(wrong, groups=codes)
    eyeball = draw_eyeball(ROWS, error=0.0, groups=codes, seed=int(rng.integers(1 << 30)))
    errors = eyeball[wrong[eyeball]]
    tags = {int(row) + 1: ["night"] if tagged[row] else [] for row in errors[:40]}
    found = analyse(model, eyeball=eyeball, tags=tags).tags.get("night")
    if found is None:
        return False, False
    return found.low <= TAGGED <= found.high, found.ceiling_low <= ERROR * TAGGED <= found.ceiling_high


def test_shares_and_ceilings_cover_the_truth():
    rng = np.random.default_rng(0)
    share, ceiling = np.mean([_covered(rng, groups=False) for _ in range(1_000)], axis=0)
    assert share >= 0.93
    assert ceiling >= 0.93


def test_ceilings_cover_the_truth_where_rows_of_a_group_err_together():
    rng = np.random.default_rng(1)
    share, ceiling = np.mean([_covered(rng, groups=True) for _ in range(1_000)], axis=0)
    assert share >= 0.93
    assert ceiling >= 0.93


def test_the_ceiling_of_a_tag_is_its_rows_among_those_that_were_passed():
    """By hand: of 100 rows in order, every 5th is wrong, and of the first 10 errors (50 rows) 4 are tagged."""
    wrong = np.arange(100) % 5 == 4
    tags = {5 * each: ["night"] if each in (1, 2, 3, 10) else [] for each in range(1, 11)}
    found = analyse(_model(wrong), eyeball=np.arange(100), tags=tags)
    assert (found.errors, found.seen) == (20, 10)
    night = found.tags["night"]
    assert night.rows == 4
    assert night.share == pytest.approx(0.4)
    assert night.ceiling == pytest.approx(4 / 54)  # the rows before the 11th error are as much looked at
    assert found.eyeball.value == pytest.approx(0.2)
    assert found.blackbox is None


def test_of_values_a_tag_has_a_share_of_the_squared_error():
    target, said = np.array([0.0, 0.0, 0.0, 0.0]), np.array([3.0, 1.0, 1.0, 1.0])
    tags = {1: ["far"], 2: [], 3: [], 4: ["near"]}
    found = analyse(Predictions(target=target, predictions=said), eyeball=np.arange(4), tags=tags)
    assert found.tags["far"].share == pytest.approx(9 / 12)
    assert found.tags["far"].ceiling == pytest.approx(9 / 4)
    assert [row.row for row in found.rows] == [1, 2, 3, 4]
    assert found.confusions == ()


def test_values_cover_too():
    rng, covered = np.random.default_rng(2), []
    for _ in range(500):
        tagged = rng.random(200) < TAGGED
        said = rng.standard_t(8, 200) * np.where(tagged, 2.0, 1.0)
        model = Predictions(target=np.zeros(200), predictions=said)
        tags = {int(row) + 1: ["wide"] if tagged[row] else [] for row in range(200)}
        wide = analyse(model, eyeball=np.arange(200), tags=tags).tags["wide"]
        truth = 4 * TAGGED / (4 * TAGGED + 1 - TAGGED)
        covered.append(wide.low <= truth <= wide.high)
    assert np.mean(covered) >= 0.93


def test_confusions_and_classes_are_counted():
    target = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    said = np.array([1, 1, 0, 1, 0, 2, 2, 2])
    model = Predictions(target=target, predictions=np.eye(3)[said], classes=("x", "y", "z"))
    found = analyse(model, eyeball=np.arange(8))
    assert [(each.y, each.prediction, each.rows) for each in found.confusions] == [("x", "y", 2), ("y", "x", 1)]
    assert {name: each.value for name, each in found.classes.items()} == {"x": pytest.approx(2 / 3), "y": 0.5}


def test_doubtful_labels_are_those_that_two_confident_models_doubt():
    """Blobs far apart, one label in ten changed: the doubted rows are the changed ones."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 600)
    given = np.where(rng.random(600) < 0.1, (truth + 1) % 3, truth)

    def probabilities():
        sure = rng.uniform(0.6, 0.98, 600)
        found = np.repeat(((1 - sure) / 2)[:, None], 3, axis=1)
        found[np.arange(600), truth] = sure
        return found

    ours, others = probabilities(), probabilities()
    model = Predictions(target=given, predictions=ours, classes=("a", "b", "c"), opinion=others)
    assert not (model.doubted & (given == truth)).any()
    assert model.doubted[given != truth].mean() > 0.3
    assert DOUBTFUL in analyse(model, eyeball=np.arange(600)).tags
    alone = Predictions(target=given, predictions=ours, classes=("a", "b", "c"))
    assert not alone.doubted.any()


def test_a_model_is_confident_above_its_mean_for_the_class():
    target = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.45, 0.55]])
    # Means of the own class: .7 and .675.
    assert confident_class(target, probabilities).tolist() == [0, -1, 1, -1]


def test_a_new_error_before_tagged_ones_ends_what_was_looked_at():
    """Tags of an earlier network: its second error is no longer one, and row 3 is a new one that nobody has seen."""
    wrong = np.isin(np.arange(50), [0, 2, 9])
    found = analyse(_model(wrong), eyeball=np.arange(50), tags={1: ["night"], 6: ["night"], 10: ["night"]})
    assert found.seen == 1
    assert found.tags["night"].rows == 1


def test_a_doubtful_label_can_be_tagged_by_hand():
    wrong = np.arange(50) < 10
    found = analyse(_model(wrong), eyeball=np.arange(50), tags={1: [DOUBTFUL], 2: ["night"]})
    assert found.tags[DOUBTFUL].share == pytest.approx(0.1)
    assert found.rows[0].tags == (DOUBTFUL,)


def test_the_eyeball_has_about_a_hundred_errors_and_at_most_half_of_dev():
    assert len(draw_eyeball(10_000, error=0.05)) == ERRORS / 0.05
    assert len(draw_eyeball(1_000, error=0.05)) == 500
    assert len(draw_eyeball(1_000, error=0.0)) == 500
    assert len(draw_eyeball(1_000, error=0.5, size=30)) == 30


def test_groups_are_not_divided_between_eyeball_and_blackbox():
    groups = np.random.default_rng(0).integers(0, 40, 500)
    shown = draw_eyeball(500, error=0.5, groups=groups, size=120)
    assert len(shown) >= 120
    assert not set(groups[shown]) & set(np.delete(groups, shown))


def test_a_large_group_does_not_take_more_than_half_of_dev():
    groups = np.array([0] * 290 + [1] * 10)
    assert set(groups[draw_eyeball(300, error=0.5, groups=groups)]) == {1}


def test_more_than_half_of_dev_is_refused():
    with pytest.raises(BadInput, match="half of the dev rows"):
        draw_eyeball(100, error=0.1, size=51)


def _after_rounds(rng, *, by_looking, rounds=20, variants=10, rows=2_000):
    """Try variants of the model that differ in some rows, and keep the best: on the eyeball, or on rows elsewhere."""
    shown = np.zeros(rows, bool)
    shown[draw_eyeball(rows, error=0.2, seed=int(rng.integers(1 << 30)))] = True
    first = now = (rng.random(rows) < 0.2).astype(float)
    for _ in range(rounds):
        tried = [np.where(rng.random(rows) < 0.1, rng.random(rows) < 0.2, now) for _ in range(variants)]
        scores = [each[shown].mean() if by_looking else rng.random() for each in tried]
        now = tried[int(np.argmin(scores))]
    return eyeball_ahead(goal=GOALS["error"], looked=Looked(eyeball=shown, before=first, after=now))


def test_choosing_by_looking_is_found():
    rng = np.random.default_rng(4)
    fired = [_after_rounds(rng, by_looking=True).status == "fired" for _ in range(100)]
    assert np.mean(fired) >= 0.8


def test_choosing_without_looking_is_no_alarm():
    rng = np.random.default_rng(5)
    fired = [_after_rounds(rng, by_looking=False).status == "fired" for _ in range(500)]
    assert np.mean(fired) <= 0.05


@pytest.mark.parametrize("changed", [1, 3, 5, 20])
def test_a_small_change_is_no_alarm_either(changed):
    """Rows that are mended wherever they lie: the share of draws that fire stays at the level."""
    rng, fired = np.random.default_rng(changed), 0
    before = (rng.random(300) < 0.3).astype(float)
    for _ in range(200):
        after = before.copy()
        after[rng.choice(np.flatnonzero(before), changed, replace=False)] = 0.0
        shown = np.zeros(300, bool)
        shown[draw_eyeball(300, error=0.3, size=150, seed=int(rng.integers(1 << 30)))] = True
        fired += eyeball_ahead(
            goal=GOALS["error"], looked=Looked(eyeball=shown, before=before, after=after)
        ).status == ("fired")
    assert fired / 200 <= 0.06  # .025, and three standard errors of 200 draws


def test_the_chance_is_that_of_all_draws():
    """By hand: two of four rows are drawn and hold all of the gain, as one of the six draws would."""
    gain, shown = np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, True, False, False])
    assert by_chance(gain, shown) == pytest.approx(1 / 6, abs=0.03)
    assert by_chance(gain, shown, groups=np.array([0, 0, 1, 1])) == pytest.approx(1 / 2, abs=0.04)


def test_one_group_on_a_side_is_no_error():
    groups = np.array([0] * 50 + [1] * 50)
    losses = np.linspace(0, 1, 100)
    looked = Looked(eyeball=groups == 0, before=losses, after=losses / 2, groups=groups)
    assert eyeball_ahead(goal=GOALS["error"], looked=looked).status == "passed"


def test_without_another_network_there_is_nothing_to_compare():
    losses, shown = np.array([0.0, 1.0] * 50), np.arange(100) < 50
    same = eyeball_ahead(goal=GOALS["error"], looked=Looked(eyeball=shown, before=losses, after=losses))
    assert same.status == "not applicable"
    few = eyeball_ahead(
        goal=GOALS["error"], looked=Looked(eyeball=np.arange(100) < 5, before=losses, after=losses[::-1])
    )
    assert few.status == "not applicable"


def test_a_file_of_errors_is_written_once_and_read_back(tmp_path):
    wrong = np.arange(40) % 4 == 0
    model = _model(wrong, table=pa.table({"age": list(range(40)), "tags": ["own"] * 40}))
    eyeball = draw_eyeball(40, error=0.1, seed=3)
    found = analyse(model, eyeball=eyeball)
    assert found.write(tmp_path / "errors.csv") == found.errors == int(wrong[eyeball].sum())
    with pytest.raises(Refusal, match="may have tags"):
        found.write(tmp_path / "errors.csv")
    read = pa.csv.read_csv(tmp_path / "errors.csv")
    assert read.column_names == ["row", "y", "prediction", "loss", "tags", "age"]
    assert [row - 1 for row in read["row"].to_pylist()] == read["age"].to_pylist()
    assert read_tags(read) == {}  # nobody has written anything yet


def test_tags_are_names_between_semicolons_or_commas():
    words = ["night; blurred", None, " dark ,night,night", "-", None]
    table = pa.table({"row": [3, 5, 7, 9, 11], "tags": words})
    assert read_tags(table) == {3: ("night", "blurred"), 5: (), 7: ("dark", "night"), 9: ()}


def test_a_row_that_stands_twice_keeps_its_tags_and_blank_lines_are_left_out():
    table = pa.table({"row": [3, None, 3], "tags": ["night", None, "dark"]})
    assert read_tags(table) == {3: ("night", "dark")}


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (pa.table({"row": [1]}), "columns row and tags"),
        (pa.table({"row": ["x"], "tags": ["night"]}), "numbers that --out wrote"),
    ],
    ids=["no tags", "no number"],
)
def test_a_file_without_tags_is_refused(table, rule):
    with pytest.raises(BadInput, match=rule):
        read_tags(table)
