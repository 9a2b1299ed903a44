from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from report_cases import CASES, Line, config, diagnosis, estimate, finished, opening, split, summarize, sweep, training

from wellfit.records.goals import GOALS, goal_named
from wellfit.records.units import Unit, knob, plain, seconds
from wellfit.reports.card import model_card
from wellfit.reports.html import render_html
from wellfit.reports.redact import redacted
from wellfit.reports.sentences import sweep_line
from wellfit.reports.text import render_text
from wellfit.reports.verdict import next_steps


@pytest.mark.parametrize("name", CASES)
def test_every_journal_has_a_summary(name):
    summary = summarize(CASES[name])
    assert summary.headline.endswith((".", "!"))
    assert all(remark.endswith(".") for remark in summary.remarks)


@pytest.mark.parametrize("length", range(len(finished()) + 1))
def test_every_prefix_of_a_journal_has_a_summary(length):
    """A run may be killed after any entry."""
    summary = summarize(finished()[:length])
    assert (summary.finished == "") == (length < len(finished()))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "Nothing has happened"),
        ("split only", "Nothing has been trained yet"),
        ("split and training", "train error 6.3%, dev 17.0%"),
        ("diagnosed", "The network overfits."),
        ("finished", "The network was overfitting. λ and dropout took the dev error from 17.0% to 14.3%."),
        ("train-dev", "The network underfits."),
        ("below reference", "fine from the start"),
    ],
)
def test_the_headline_says(name, words):
    assert words in summarize(CASES[name]).headline


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("finished", "the price of regularization, not a fault"),
        ("finished", "not compared row by row"),
        ("finished", "Gradient-boosted trees do better than the network: dev error 12.9% against 14.3%"),
        ("unsealed", "test error 13.0% against 14.6%"),
        ("regression", "dev RMSE 49,488 against 51,200"),
        ("killed before the finish", "has not finished"),
        ("unsealed", "certified"),
        ("unsealed twice", "opened 2 times"),
    ],
)
def test_the_lines_below_say(name, words):
    assert any(words in remark for remark in summarize(CASES[name]).remarks)


def test_a_step_whose_network_is_behind_an_earlier_one_is_not_said_to_have_made_what_is_shown():
    lines = [
        Line("step", line.body | {"config_after": "another"}) if line.kind == "step" else line for line in finished()
    ]
    said = summarize(lines).headline
    assert "A network that no step of this run made is kept" in said
    assert "dropout" not in said


def test_every_network_that_dev_has_compared_is_counted_once_and_none_that_diverged():
    lost = [line.body | {"identity": "lost", "status": "diverged"} for line in finished() if line.kind == "training"]
    lines = [*finished(), *(line for line in finished() if line.kind == "training"), Line("training", lost[0])]
    assert summarize(lines).compared == 2


def test_before_is_the_first_network_and_after_the_best():
    summary = summarize(CASES["finished"])
    assert (summary.before.identity, summary.after.identity) == ("first", "best")
    assert summary.before.diagnosis.errors.dev.value == pytest.approx(0.1695)
    assert summary.after.diagnosis.errors.dev.value == pytest.approx(0.1428)


def test_negative_bias_is_never_shown():
    for name in CASES:
        summary = summarize(CASES[name])
        gaps = [gap for ladder in (summary.before, summary.after) if ladder for gap in ladder.gaps]
        assert all(gap.value >= 0 for gap in gaps if gap.name == "avoidable_bias")
    gap = summarize(CASES["below reference"]).after.diagnosis.gap("avoidable_bias")
    assert (gap.value, gap.below_reference) == (0, True)


def test_test_is_sealed_until_it_is_opened():
    assert summarize(CASES["finished"]).after.errors["test"] is None
    opened = summarize(CASES["unsealed"])
    assert opened.after.errors["test"].value == pytest.approx(0.1462)
    assert opened.after.diagnosis.gap("dev_overfit").value == pytest.approx(0.1462 - 0.1428)
    assert opened.before.errors["test"] is None
    assert {method.name: method.test.value for method in opened.others}["trees"] == pytest.approx(0.1302)


def test_the_first_opening_counts():
    lines = [*finished(), opening(), Line("opening", opening(2).body | {"error": estimate(0.10), "certified": False})]
    assert summarize(lines).after.errors["test"].value == pytest.approx(0.1462)


@pytest.mark.parametrize("show", [render_text, render_html, model_card])
def test_a_test_error_is_shown_with_no_other_network(show):
    def opened(number, of):
        return Line("opening", opening(number, of=of).body | {"error": estimate(0.3777)})

    lines = [*finished(), opened(1, "first")]
    summary = summarize(lines)
    assert summary.openings == ()
    assert summary.after.errors["test"] is None
    assert [method.test for method in summary.others] == [None] * 3
    assert [row.test for row in summary.trade] == [None, None]
    shown = show(summary)
    assert "37.8%" not in shown
    assert "another network" in shown
    assert opening().body["receipt"] in shown
    assert "37.8%" in show(summarize([*lines, opened(2, "best")]))


def test_the_trade_shows_that_train_pays_and_dev_gains():
    without, chosen = summarize(CASES["unsealed"]).trade
    assert without.lambdas == "0"
    assert without.train < chosen.train
    assert without.dev > chosen.dev
    assert (without.test, chosen.test) == (None, pytest.approx(0.1462))


def augmented_sweep():
    """Of two networks without lambda and dropout, the second sees changed pictures."""
    lines = sweep(members=65)
    body = dict(lines.body)
    plain, changed = (dict(row) for row in body["members"][:2])
    changed |= {"l2": 0.0, "weight_decay": 0.0, "shrink": 0.0, "knobs": {"augment": 1.0}}
    names = {"best": changed["identity"], "chosen": changed["identity"], "tied": [changed["identity"]]}
    return Line("sweep", {**body, **names, "members": [plain, changed]})


def test_augmentation_is_a_regularizer_beside_lambda_and_keep_prob():
    summary = summarize([*finished()[:-5], augmented_sweep()])
    (card,) = summary.sweeps
    assert card.unregularized.others == ""
    assert card.chosen.others == "augment 1"
    without, chosen = summary.trade
    assert (without.label, chosen.label) == ("no regularization", "chosen, augment 1")
    assert "keep_prob 1, augment 1: train" in sweep_line(summary.unit, card)


def test_copies_and_pictures_that_look_alike_are_told_apart():
    card = summarize([split(duplicates={"train_dev": 3, "near_train_dev": 2, "test_in_dev": 1})]).split
    assert (
        dict(card.left_over).items()
        >= {
            "train-dev rows also in train": "3",
            "train-dev pictures that look like a training picture": "2",
            "test rows also in dev": "1",
        }.items()
    )


def test_the_last_of_several_sweeps_decides():
    lines = [*finished()[:-5], sweep(), sweep(grid=False)]
    summary = summarize(lines)
    assert len(summary.sweeps) == 2
    assert summary.trade[-1].lambdas == knob(summary.sweeps[-1].chosen.l2)


def test_findings_that_fired_come_first():
    statuses = [row.status for row in summarize(CASES["diagnosed"]).findings]
    assert statuses == ["fired", "passed", "not applicable"]


def test_boards_do_not_mix():
    summary = summarize(CASES["finished"])
    assert not any(knob.turned for knob in summary.optimization)
    assert [knob.after for knob in summary.regularization if knob.name in ("λ (l2)", "keep_prob")] == ["191", "0.8"]


def test_the_command_can_be_pasted():
    lines = [split(source={"path": "my data.csv"}), Line("session", {"command": "run", "asked": {"budget": "60s"}})]
    assert summarize(lines).again.command == (
        "wellfit run 'my data.csv' --target income --goal error --budget 60s --seed 0"
    )


@pytest.mark.parametrize("command", ["unseal", "train", "sweep"])
def test_another_command_after_a_run_leaves_it_ended_and_its_options_known(command):
    asked = Line("session", {"command": "run", "asked": {"budget": "60s"}})
    before = summarize([asked, *finished()])
    after = summarize([asked, *finished(), Line("session", {"command": command})])
    assert after.finished == before.finished != ""
    assert after.again == before.again
    assert "--budget 60s" in after.again.command


def test_the_command_repeats_the_options_of_the_split_and_the_reference():
    options = {"target": "income", "drop": ["id", "zip code"], "group_on": "customer", "goal": None, "sizes": None}
    plan = {"budget": "60s", "reference": {"optimal_error": [0.01, 0.02]}, "only": None}
    lines = [split(source={"path": "d.csv"}, asked=options), Line("session", {"command": "run", "asked": plan})]
    assert summarize(lines).again.command == (
        "wellfit run d.csv --target income --goal error --drop id --drop 'zip code' --group-on customer "
        "--budget 60s --optimal-error 0.01 0.02 --seed 0"
    )


def test_the_command_repeats_knobs_branch_and_rows_in_words_that_can_be_typed():
    asked = {
        "budget": "60s",
        "ensemble": False,
        "allow_early_stopping": True,
        "fixed": {"optimization": {"lr": 0.002}, "network": {"widths": [32]}},
        "branch": "3f2a",
        "more_data": "9c1d",
    }
    lines = [
        split(source={"path": "d.csv"}),
        Line("added rows", {"name": "9c1d", "path": "/home/ann/later.csv"}),
        Line("session", {"command": "run", "asked": asked, "branch_step": 1}),
    ]
    summary = summarize(lines)
    assert summary.again.command == (
        "wellfit run d.csv --target income --goal error --budget 60s --no-ensemble --allow-early-stopping --branch 1 "
        "--more-data /home/ann/later.csv --seed 0 --config knobs.toml  "
        "# knobs.toml: optimization.lr = 0.002; network.widths = [32]"
    )
    assert "--more-data later.csv" in redacted(summary).again.command


def test_numbers_that_are_not_finite_are_left_out():
    network = summarize(CASES["diverged"]).first
    assert (network.errors, network.norm, len(network.curve)) == ({}, None, 1)


def test_summaries_are_frozen():
    with pytest.raises(FrozenInstanceError):
        summarize([]).title = "other"


@pytest.mark.parametrize(
    ("goal", "loss", "shown"),
    [
        ("error", 0.146, "14.6%"),
        ("error", 0.0012, "0.12%"),
        ("error", 0.0, "0.0%"),
        ("balanced_error", 0.5, "50.0%"),
        ("log_loss", 0.31234, "0.3123"),
        ("auc", 0.07, "0.930"),
        ("rmse", 48_210.0**2, "48,210"),
        ("mae", 3.5, "3.5"),
        ("r2", 0.25, "0.750"),
        ("error", None, "—"),
        ("error", float("nan"), "—"),
    ],
)
def test_numbers_in_the_goal_s_own_unit(goal, loss, shown):
    assert Unit(goal_named(goal)).show(loss) == shown


@pytest.mark.parametrize(
    ("goal", "gap", "shown"),
    [
        ("error", 0.1, "+10.0 points"),
        ("error", 0.01, "+1.0 point"),
        ("error", -0.002, "−0.20 points"),
        ("auc", 0.03, "+0.03"),
        ("rmse", 1e8, "+10,000"),
    ],
)
def test_gaps_in_words(goal, gap, shown):
    assert Unit(goal_named(goal)).gap(gap, sign=True) == shown


@pytest.mark.parametrize("at", [{"start": 64.0}, {"end": 289.0}])
def test_an_rmse_gap_is_the_step_between_two_errors(at):
    """The roots of 64 and 289 are 8 and 17."""
    assert Unit(goal_named("rmse")).gap(225.0, **at, sign=True) == "+9"


@pytest.mark.parametrize("goal", GOALS)
def test_better_is_always_further_left(goal):
    unit = Unit(goal_named(goal))
    assert unit.position(0.2) < unit.position(0.3)


def test_short_numbers():
    assert [knob(value) for value in (None, 0.0, 0.053, 1e-6, 316.2, 12_345.0)] == [
        "—",
        "0",
        "0.053",
        "1e-06",
        "316",
        "12,345",
    ]
    assert [plain(value) for value in (0.012344, 12.345, 48_210.4)] == ["0.01234", "12.35", "48,210"]
    assert [seconds(value) for value in (None, 0.44, 12.3, 200.0)] == ["—", "0.4 s", "12 s", "3 min 20 s"]


def test_a_bias_without_a_reference_gains_from_here_to_the_optimum_at_most():
    """Train 30%, dev 28%, optimum 0 to 13%: the dev error can fall by 15 to 28 points, whatever the bias."""
    verdicts = ("yes", "no")
    line = diagnosis(0, "first", train=0.30, dev=0.28, optimal=(0.0, 0.13, "none"), verdicts=verdicts)
    line.body["gaps"]["avoidable_bias"] |= {"low": 0.17, "high": 0.30}
    remedy = {"kind": "bigger_network", "board": "optimization", "because": "avoidable_bias", "ceiling": 0.215}
    line.body["prescription"] = [
        remedy | {"why": "Avoidable bias is 17.0 to 30.0 points: a bigger network fits better."}
    ]
    lines = [split(), training("first", 0.30, 0.28, settings=config()), line]
    assert "gains 15.0 to 28.0 points" in " ".join(next_steps(summarize(lines)))
