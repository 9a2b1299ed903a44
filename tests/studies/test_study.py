"""A study in one process: the recipe around a training function, by ask and tell."""

from __future__ import annotations

import time

import numpy as np
import pytest
from trainers import HUMAN, KNOBS, Y_DEV, fine, followed, overfit, small, told

import wellfit as wf


def _study(folder, **options):
    given = {"knobs": KNOBS, "human_error": HUMAN, "budget": "20fits", **options}
    return wf.Study(folder / "toy.wellfit", **given)


def test_the_first_trial_has_every_regularizer_off_and_the_usual_start(tmp_path):
    trial = _study(tmp_path).ask()
    assert trial.knobs == {"width": 4, "epochs": 5, "lr": 1e-3, "l2": 0.0, "keep_prob": 1.0}
    assert trial.number == 1


@pytest.mark.parametrize(
    ("fit", "board", "knob"),
    [
        pytest.param(small, "optimization", "width", id="far too small"),
        pytest.param(overfit, "regularization", "l2", id="overfits"),
    ],
)
def test_the_first_step_turns_the_board_of_the_planted_cause_and_the_knob_that_helps(tmp_path, fit, board, knob):
    study = _study(tmp_path)
    trials = followed(study, fit)
    body = study.to_json()
    assert body["steps"][0]["board"] == board
    assert body["best"]["knobs"][knob] != trials[0].knobs[knob]
    assert body["errors"]["dev"]["value"] < 0.06
    assert body["fits"] == len(trials) <= 20


def test_where_all_is_fine_it_stops_at_once(tmp_path):
    study = _study(tmp_path, tolerance=0.02)
    assert len(followed(study, fine)) == 1
    body = study.to_json()
    assert (body["stop"], body["steps"]) == ("fine", [])


def test_a_step_turns_one_board_and_leaves_the_other_as_it_is(tmp_path):
    study = _study(tmp_path, budget="3fits")
    trials = followed(study, small)
    assert len(trials) == 3
    for trial in trials:
        assert trial.knobs["l2"] == 0.0
        assert trial.knobs["keep_prob"] == 1.0
    assert trials[1].why.startswith("avoidable bias is high: ")


def test_what_was_repaired_is_refined_with_the_rest_of_the_budget_on_both_boards(tmp_path):
    study = _study(tmp_path)
    trials = followed(study, overfit)
    last = study.to_json()["steps"][-1]
    assert (last["kind"], last["coupled"], len(trials)) == ("search_both_boards", True, 20)
    assert study.to_json()["errors"]["dev"]["value"] < 0.05


def test_the_budget_is_an_upper_limit(tmp_path):
    study = _study(tmp_path, budget="4fits")
    assert len(followed(study, lambda _knobs: told(0.3, 0.4))) == 4
    assert study.to_json()["fits"] == 4
    assert study.to_json()["stop"] == "budget"


def test_a_new_process_goes_on_where_the_last_one_ended(tmp_path):
    whole = followed(_study(tmp_path / "whole"), small)
    trials = []
    while trial := _study(tmp_path / "parts").ask():
        trials.append(trial)
        _study(tmp_path / "parts").tell(trial, **small(trial.knobs))
    assert [(each.number, each.knobs, each.why) for each in trials] == [
        (each.number, each.knobs, each.why) for each in whole
    ]
    table = [_study(tmp_path / name).to_json() for name in ("whole", "parts")]
    for body in table:
        for name in ("study", "report", "seconds"):
            del body[name]
        for step in body["steps"]:
            del step["spent"]
    assert table[0] == table[1]


def test_report_diagnose_compare_and_print_work_on_the_folder(tmp_path):
    study = _study(tmp_path)
    followed(study, small)
    assert "bigger network" in str(study)
    assert "a study of" in str(study)
    page = wf.report(study.path).read_text()
    assert "Which fits were made?" in page
    assert '<th scope="col" class="n">width</th>' in page
    found = wf.diagnose(study.path)
    assert found.errors.train.value == pytest.approx(study.diagnose().errors.train.value)
    compared = wf.compare(f"{study.path}@0", f"{study.path}@1")
    assert compared.better == f"{study.path}@1"
    assert [pair.knob for pair in compared.knobs] == ["epochs", "width"]


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(wf.run, id="run"),
        pytest.param(wf.unseal, id="unseal"),
        pytest.param(lambda path: wf.predict(path, {"x": [1.0]}), id="predict"),
        pytest.param(lambda path: wf.train(path, wf.Config()), id="train"),
        pytest.param(wf.sweep, id="sweep"),
    ],
)
def test_what_needs_a_network_of_wellfit_is_refused_on_a_study(tmp_path, use):
    study = _study(tmp_path)
    followed(study, fine)
    before = study.to_json()
    with pytest.raises(wf.Refusal, match="the study"):
        use(study.path)
    assert study.to_json() == before


def test_a_sealed_test_set_is_opened_once_by_the_users_own_model(tmp_path):
    X = np.random.default_rng(1).normal(size=(300, 2))
    sealed = wf.SealedTest.of(X, (X[:, 0] > 0).astype(int), folder=tmp_path / "sealed")
    study = _study(tmp_path, budget="3fits", sealed_test=sealed)
    followed(study, small)

    def predict(rows):
        return (rows[:, 0] > 0.1).astype(int)

    wrong = ((X[:, 0] > 0.1) != (X[:, 0] > 0)).mean()
    assert study.unseal(predict).error.value == pytest.approx(wrong)
    assert f"Test error {100 * wrong:.1f}%" in str(study)
    with pytest.raises(wf.Refusal, match="opened once before"):
        study.unseal(predict)
    with pytest.raises(wf.Refusal, match=r"study\.unseal\(predict\)"):
        wf.unseal(study.path)


def test_one_remedy_and_a_branch_go_their_own_way_in_the_same_folder(tmp_path):
    followed(_study(tmp_path), small)
    one = _study(tmp_path, only="regularize", idea="does it help at all?")
    followed(one, small)
    assert [step["kind"] for step in one.to_json()["steps"]] == ["regularize"]
    assert one.to_json()["steps"][0]["idea"] == "does it help at all?"
    followed(_study(tmp_path), small)
    whole = _study(tmp_path).to_json()
    branch = _study(tmp_path, branch=1, tolerance=0.4)
    before = whole["fits"]
    assert branch.ask() is None
    assert branch.to_json()["fits"] >= before


def test_a_curve_that_is_told_says_in_the_table_what_its_shape_means(tmp_path):
    study = _study(tmp_path, tolerance=0.02)
    curve = [(0.6 - 0.01 * epoch, 0.6 - 0.01 * epoch) for epoch in range(20)]
    study.tell(study.ask(), **fine(None), curve=curve)
    assert study.ask() is None
    assert "still falling at the end: more epochs" in study.report().read_text()


def test_only_numbers_are_told_with_wider_intervals(tmp_path):
    def numbers(knobs):
        found = small(knobs)
        errors = {part: float((y != p).mean()) for part, (y, p) in found.items()}
        return {**errors, "train_rows": 1_000, "dev_rows": 2_000}

    study = _study(tmp_path)
    followed(study, numbers)
    body = study.to_json()
    assert body["steps"][0]["board"] == "optimization"
    assert body["errors"]["dev"]["value"] < 0.06


def test_a_fit_that_diverges_is_recorded_and_the_rate_is_lowered(tmp_path):
    def fit(knobs):
        found = small(knobs)
        if knobs["lr"] > 1e-4:
            y, p = found["train"]
            found["train"] = (y, np.full(len(p), np.nan))
        return found

    study = _study(tmp_path)
    trials = followed(study, fit)
    body = study.to_json()
    assert [trial.knobs["lr"] for trial in trials[:2]] == [1e-3, 1e-4]
    assert body["failed"] >= 1
    assert body["best"]["knobs"]["lr"] <= 1e-4


def test_three_failures_at_the_first_knobs_stop_the_study_with_the_last_lines(tmp_path):
    study = _study(tmp_path)
    for _ in range(3):
        study.fail(study.ask(), "Traceback\nValueError: no such file")
    with pytest.raises(wf.Refusal, match="ValueError: no such file"):
        study.ask()
    mended = _study(tmp_path)
    followed(mended, small)
    assert mended.to_json()["failed"] == 3


def test_out_of_memory_makes_larger_sizes_infeasible(tmp_path):
    study = _study(tmp_path)
    trials = []
    while trial := study.ask():
        trials.append(trial.knobs["width"])
        if trial.knobs["width"] > 30:
            study.fail(trial, "RuntimeError: CUDA out of memory")
        else:
            study.tell(trial, **small(trial.knobs))
    failed = [width for width in trials if width > 30]
    assert failed == sorted(set(failed), reverse=True)
    assert len(failed) <= 4


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param({"knobs": {"lr": 1e-3}}, "knob lr needs a role", id="no role"),
        pytest.param({"knobs": {"w": {"role": "siez"}}}, "Did you mean 'size'", id="misspelt role"),
        pytest.param({"knobs": {}}, "at least one knob", id="no knob"),
        pytest.param({"budget": "soon"}, "16fits", id="budget"),
        pytest.param({"budget": "0fits"}, "16fits", id="no fits"),
        pytest.param({"human_error": 3.0}, "human", id="reference"),
        pytest.param({"only": "ensemble"}, "regularize", id="a remedy without knobs"),
        pytest.param({"repeats": -1}, "repeats", id="repeats"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_anything_is_made(tmp_path, options, found):
    with pytest.raises(wf.BadInput, match=found):
        _study(tmp_path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: wf.size(32, 1024, start=8), id="start below"),
        pytest.param(lambda: wf.learning_rate(1e-1, 1e-5), id="upside down"),
        pytest.param(lambda: wf.size(1.5, 8), id="not whole"),
        pytest.param(lambda: wf.keep_prob(1.5), id="keep_prob above 1"),
        pytest.param(wf.decay, id="decay without range"),
        pytest.param(lambda: wf.optimizer("adam"), id="one optimizer"),
        pytest.param(lambda: wf.choice(1, 2), id="numbers as words"),
    ],
)
def test_a_knob_that_cannot_be_is_refused(make):
    with pytest.raises(wf.BadInput):
        make()


def test_the_first_trial_takes_the_starts_that_were_given(tmp_path):
    knobs = {"width": wf.size(4, 256, start=16), "lr": wf.learning_rate(1e-5, 1.0, start=3e-3)}
    trial = _study(tmp_path, knobs={**knobs, "act": wf.choice("gelu", "relu")}).ask()
    assert trial.knobs == {"width": 16, "lr": 3e-3, "act": "gelu"}
    assert isinstance(trial.knobs["width"], int)


def test_a_decay_with_rows_follows_the_learning_rate():
    low, high = wf.decay(rows=45_000).limits(1e-3)
    assert (low, high) == (pytest.approx(1e-6 * 45_000 / 1e-3), pytest.approx(3e-3 * 45_000 / 1e-3))
    low, high = wf.decay(rows=45_000, unit="weight_decay").limits(1e-3)
    assert (low, high) == (pytest.approx(1e-3), pytest.approx(3.0))


def _other_rows():
    found = told(0.1, 0.1)
    return {**found, "dev": tuple(part[:100] for part in found["dev"])}


def _other_labels():
    found = told(0.1, 0.1)
    return {**found, "dev": (1 - Y_DEV, found["dev"][1])}


def _unknown_class():
    found = told(0.1, 0.1)
    return {**found, "dev": (Y_DEV, np.full(len(Y_DEV), 7))}


@pytest.mark.parametrize(
    ("result", "found"),
    [
        pytest.param(_other_rows(), "100 dev rows in trial 2, 2,000 before", id="other number of rows"),
        pytest.param(_other_labels(), "other labels of dev", id="other labels"),
        pytest.param(_unknown_class(), "'7'", id="unknown class"),
        pytest.param({"train": 0.1, "dev": 0.1, "dev_rows": 9}, "predictions", id="numbers after predictions"),
        pytest.param({"train": 0.1, "dve": 0.1}, "Did you mean 'dev'", id="misspelt"),
    ],
)
def test_a_result_that_does_not_belong_to_the_study_is_refused_and_nothing_is_lost(tmp_path, result, found):
    study = _study(tmp_path)
    study.tell(study.ask(), **told(0.3, 0.3))
    trial = study.ask()
    with pytest.raises(wf.BadInput, match=found):
        study.tell(trial, **result)
    assert study.to_json()["fits"] == 1
    study.tell(trial, **told(0.2, 0.2))
    assert study.to_json()["fits"] == 2
    with pytest.raises(wf.BadInput, match="told already"):
        study.tell(trial, **told(0.2, 0.2))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param({"knobs": {**KNOBS, "width": wf.size(4, 512)}}, "knob width", id="another range"),
        pytest.param({"goal": "log_loss", "human_error": None}, "goal error", id="another goal"),
    ],
)
def test_the_folder_of_another_study_is_refused(tmp_path, options, found):
    _study(tmp_path)
    with pytest.raises(wf.Refusal, match=found):
        _study(tmp_path, **options)


def test_further_seeds_are_within_the_budget(tmp_path):
    assert len(followed(_study(tmp_path, budget="4fits", repeats=10), small)) == 4


def test_a_fit_that_is_told_by_its_number_takes_its_time_too(tmp_path):
    study, told_so_far = _study(tmp_path, budget="1s"), 0
    while trial := study.ask():
        time.sleep(0.4)
        study.tell(trial.number, **small(trial.knobs))
        told_so_far += 1
    assert told_so_far <= 3


def test_a_fit_that_failed_is_tried_again_under_another_budget(tmp_path):
    study = _study(tmp_path, budget="3fits")
    study.tell(study.ask(), **small(study.ask().knobs))
    failed = study.ask()
    study.fail(failed, "boom")
    followed(study, small)
    again = _study(tmp_path, budget="9fits")
    assert failed.knobs in [trial.knobs for trial in followed(again, small)]


def test_a_branch_from_a_step_that_does_not_exist_changes_nothing(tmp_path):
    study = _study(tmp_path)
    followed(study, small)
    before = study.to_json()
    with pytest.raises(wf.BadInput, match="99"):
        _study(tmp_path, branch=99).ask()
    assert _study(tmp_path).to_json() == before


def test_the_fits_of_a_search_count_when_the_clock_passes_the_budget_in_it(tmp_path):
    clock, fits, searched = [0.0], [], []
    study = _study(tmp_path, budget="1000s")
    study._driver.elapsed = lambda: clock[0]
    while trial := study.ask():
        keys = [entry.key for entry in study.workspace.entries("plan")]
        searched += [trial] if any("/search/" in key for key in keys) else []
        best = len(searched) == 2
        study.tell(trial, **(told(HUMAN, HUMAN) if best else overfit({**trial.knobs, "l2": 0.0})))
        fits.append(trial)
        clock[0] = 2000.0 if best else 0.0
        assert len(fits) < 60
    assert fits[-1] is searched[1]
    assert study.to_json()["best"]["knobs"] == searched[1].knobs


def test_a_fit_that_is_asked_for_again_keeps_its_time(tmp_path):
    study = _study(tmp_path, budget="1000s")
    number = study.ask().number
    time.sleep(0.3)
    again = study.ask()
    assert again.number == number
    study.tell(again, **fine(again.knobs))
    assert study.workspace.entries("training")[-1].body["seconds"] >= 0.3


def test_a_timed_study_that_is_told_by_number_from_other_processes_ends(tmp_path):
    numbers = []
    while trial := _study(tmp_path, budget="1000s").ask():
        _study(tmp_path, budget="1000s").tell(trial.number, **overfit(trial.knobs))
        numbers.append(trial.number)
        assert len(numbers) < 40


@pytest.mark.parametrize("only", [None, "regularize"])
def test_a_fit_told_in_a_step_counts_when_the_clock_passes_the_budget_in_it(tmp_path, only):
    study, clock, trials = _study(tmp_path, knobs={"l2": KNOBS["l2"]}, budget="1000s", only=only), [0.0], []
    study._driver.elapsed = lambda: clock[0]
    while trial := study.ask():
        trials.append(trial)
        clock[0] = 2000.0 * (len(trials) == 2)
        study.tell(trial, **overfit(trial.knobs))
    assert len(trials) == 2
    assert study.to_json()["best"]["knobs"] == trials[1].knobs
