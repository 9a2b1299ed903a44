"""Remedies as values: their promises, their prices, what they may not turn, and which one comes next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from recipe_runs import fixed_at

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.diagnosis import diagnose_losses
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.exceptions import BadInput
from wellfit.recipe.budget import BudgetTracker, parse_budget
from wellfit.recipe.context import RunContext
from wellfit.recipe.follow import MOST_ROUNDS, around_again, first_state, next_step
from wellfit.recipe.pick import BY_BOARD, REMEDIES, next_remedy, ranking, require_kind
from wellfit.recipe.remedies.mismatch import rows_wanted
from wellfit.recipe.remedies.regularization import search_architecture
from wellfit.recipe.remedies.remedy import Shares, expect
from wellfit.recipe.remedies.trials import evidence_of
from wellfit.recipe.state import RecipeState, Rules, StepContext, turned
from wellfit.recipe.stop import cheapest_waiting, stop_of
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.gaps import GAPS
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Outcome
from wellfit.stats.intervals import Estimate, wilson
from wellfit.sweeps.executor import InProcess

ERROR = goal_named("error")
HEALTHY = Config(network=Network(widths=(64, 64), embedding="none"), optimization=Optimization(lr=2e-3, batch_size=64))


class _Notes:
    def __init__(self):
        self.entries = {}

    def __call__(self, kind, key, compute):
        if (kind, key) not in self.entries:
            self.entries[kind, key] = compute()
        return self.entries[kind, key]

    def known(self, kind, key):
        return self.entries.get((kind, key))


def _data(*, train: int = 400, columns: int = 4) -> Prepared:
    """The sign of a product of two numbers, without noise."""
    x = np.random.default_rng(0).normal(size=(train + 600, columns))
    labels = np.where(x[:, 0] * x[:, 1] > 0, "yes", "no")
    table = pa.table({**{f"x{place}": column for place, column in enumerate(x.T)}, "y": labels})
    preparation = fit_preparation(table.slice(0, train), infer_schema(table, target="y"))
    parts = [preparation.transform(part) for part in (table.slice(0, train), table.slice(train))]
    return Prepared(preparation, parts[0], None, parts[1])


@pytest.fixture(scope="module")
def data() -> Prepared:
    return _data()


def _work(
    data: Prepared, config: Config, *, budget: str = "40000updates", optimal: float = 0.0, **rules
) -> StepContext:
    def diagnose(errors, *, outcome, best_dev_high):
        reference = Optimal(optimal, optimal, source="given", upper_bound=False)
        return diagnose_losses(goal=ERROR, optimal=reference, train=errors["train"], dev=errors["dev"])

    run = RunContext(
        data=data,
        goal=ERROR,
        executor=InProcess(data, goal=ERROR),
        budget=BudgetTracker(parse_budget(budget), data=data, workers=1),
        recall=_Notes(),
        diagnosing=diagnose,
        best_dev_high=1.0,
        notify=lambda _event: None,
    )
    return StepContext(run=run, state=first_state(run, config), rules=Rules(**rules))


def _config(*, network: dict | None = None, **optimization) -> Config:
    return replace(
        HEALTHY,
        network=replace(HEALTHY.network, **(network or {})),
        optimization=replace(HEALTHY.optimization, **optimization),
    )


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        pytest.param(_config(network={"widths": (2,)}), "bigger_network", id="cramped"),
        pytest.param(_config(epochs=1), "train_longer", id="cut short"),
        pytest.param(_config(lr=2e-5), "better_optimizer", id="slow"),
        pytest.param(_config(lr=3.0), "better_optimizer", id="fast"),
    ],
)
def test_what_a_training_shows_decides_which_remedy_against_bias_comes_first(data, config, kind):
    context = _work(data, config)
    assert context.state.gap("optimization").verdict == "yes"
    assert ranking(context, "optimization")[0].kind == kind
    assert next_remedy(context).remedy.board == "optimization"


def test_the_best_gain_for_its_cost_is_ranked_first(data):
    context = _work(data, _config(epochs=1))
    rates = [remedy.expected(context).rate for remedy in ranking(context, "optimization")]
    assert len(rates) == 4
    assert rates == sorted(rates, reverse=True)


def test_no_remedy_turns_a_fixed_knob(data):
    context = _work(data, _config(epochs=1), fixed_at=fixed_at("epochs", "widths", "ema"))
    kinds = {remedy.kind for board in BY_BOARD for remedy in BY_BOARD[board] if remedy.price(context) is not None}
    assert not kinds & {"train_longer", "bigger_network", "average_weights"}
    assert {"better_optimizer", "architecture", "augment"} <= kinds
    shapes = context.allowed(search_architecture(context))
    assert all("widths" not in turned(context.config, shape) for shape in shapes)


def test_a_sweep_with_one_fixed_knob_keeps_it_and_with_both_is_not_to_be_had(data):
    assert REMEDIES["regularize"].price(_work(data, HEALTHY, fixed_at=fixed_at("l2"))) is not None
    assert REMEDIES["regularize"].price(_work(data, HEALTHY, fixed_at=fixed_at("l2", "keep_prob"))) is None


def test_early_stopping_is_offered_only_where_it_is_allowed(data):
    def offered(context: StepContext) -> set[str]:
        wide = replace(context, state=replace(context.state, exhausted=frozenset({"regularize"})))
        return {remedy.kind for remedy in ranking(wide, "regularization")}

    small = _config(epochs=8)
    assert "stop_early" not in offered(_work(data, small))
    assert "stop_early" in offered(_work(data, small, early_stopping=True))


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [
        pytest.param(400, 60, "augment", id="more inputs than half the rows"),
        pytest.param(120, 3, "search_architecture", id="thin bins"),
        pytest.param(400, 3, "regularize", id="neither"),
    ],
)
def test_what_the_table_shows_decides_which_remedy_against_variance_comes_first(rows, columns, kind):
    config = _config(network={"embedding": "ple", "bins": 16}, epochs=150)
    steps = config.optimization.epochs * -(-rows // config.optimization.batch_size)
    context = _work(_data(train=rows, columns=columns), config, budget=f"{25 * steps}updates")
    assert (context.state.gap("optimization").verdict, context.state.gap("regularization").verdict) == ("no", "yes")
    assert ranking(context, "regularization")[0].kind == kind
    assert next_remedy(context).remedy.board == "regularization"


def test_a_remedy_that_the_rest_of_the_budget_cannot_pay_for_is_not_begun(data):
    context = _work(data, _config(epochs=1), budget="40updates")
    assert ranking(context, "optimization") == []
    stop = stop_of(context)
    assert stop.code == "budget"
    assert stop.sentence.endswith(" updates more.")


@pytest.mark.parametrize(
    ("bias", "variance", "kind"),
    [
        pytest.param("yes", "no", "search_both_boards", id="bias left"),
        pytest.param("no", "cannot tell", "search_both_boards", id="variance left"),
        pytest.param("cannot tell", "no", None, id="nothing that is surely left"),
    ],
)
def test_a_search_of_both_boards_closes_a_run_in_which_a_gap_is_left(data, bias, variance, kind):
    context = _work(data, _config(network={"widths": (4,)}, epochs=4))
    found = context.state.diagnosis
    verdicts = {"avoidable_bias": bias, "variance": variance}
    gaps = {name: gap and replace(gap, verdict=verdicts.get(name, gap.verdict)) for name, gap in found.gaps.items()}
    single = frozenset(remedy.kind for board in BY_BOARD.values() for remedy in board)
    state = replace(context.state, diagnosis=replace(found, gaps=gaps), exhausted=single)
    remedy = next_step(replace(context, state=state)).remedy
    assert (remedy and remedy.kind) == kind


@pytest.mark.parametrize(("name", "kind"), [("variance", "search_both_boards"), ("mismatch", None)])
def test_a_search_that_could_not_be_paid_for_waits_for_a_gap_that_it_closes(data, name, kind):
    context = _work(data, _config(epochs=4))
    single = frozenset(remedy.kind for board in BY_BOARD.values() for remedy in board)
    gap = replace(context.state.diagnosis.gap("variance"), name=name)
    waiting = cheapest_waiting(replace(context, state=replace(context.state, exhausted=single)), gap)
    assert (waiting and waiting.kind) == kind


@pytest.mark.parametrize("kind", [remedy.kind for remedy in BY_BOARD["regularization"]])
def test_a_remedy_against_variance_leaves_the_optimization_board_alone(data, kind):
    remedy = REMEDIES[kind]
    context = _work(data, _config(epochs=4), only=kind, early_stopping=True)
    after = remedy.apply(context).outcome
    allowed = (
        {"early_stopping"} if remedy.coupled else {"widths", "embedding"} if kind == "search_architecture" else set()
    )
    board = {**vars(context.config.optimization), **vars(context.config.network)}
    assert turned(context.config, after.config) & board.keys() <= allowed


def test_an_expectation_is_a_share_of_the_ceiling_and_knows_whether_it_held():
    found = expect(Shares(0.0, 0.5, 0.9), ceiling=0.1, room=0.1, cost=20.0)
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.0, 0.09))
    assert found.rate == pytest.approx(0.0025)
    assert found.contains(0.09)
    assert not found.contains(0.091)
    assert not found.contains(-0.001)


def test_a_train_error_may_fall_below_the_reference():
    assert expect(Shares(0.0, 0.5, 1.0), ceiling=0.1, room=0.3, cost=1.0).contains(0.3)


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        pytest.param(0.04, (2_000, 4_000), id="twice the tolerance"),
        pytest.param(0.02, (1_000, 1_000), id="inside"),
        pytest.param(0.5, (25_000, None), id="beyond a hundred times"),
    ],
)
def test_rows_that_bring_a_variance_inside_the_tolerance(gap, expected):
    assert rows_wanted(1_000, gap=gap, tolerance=0.02) == expected


def test_no_number_of_rows_brings_a_variance_inside_a_tolerance_of_0():
    assert rows_wanted(1_000, gap=0.04, tolerance=0.0) == (100_000, None)


def test_a_network_without_numbers_is_not_blind_and_a_narrow_one_bears_a_larger_rate(data):
    context = _work(data, _config(network={"widths": (8,)}))
    seen = evidence_of(context.state.outcome, numbers=0)
    assert (seen.blind, seen.cramped, seen.slow) == (False, False, True)
    assert evidence_of(context.state.outcome, numbers=4).blind


def _regularized(context: StepContext, *, l2: float) -> RecipeState:
    """The turn after a sweep that has chosen a heavy lambda: train is far above the reference again."""
    config = replace(context.config, regularization=Regularization(l2=l2))
    (outcome,) = context.run.train([config])
    diagnosis = context.run.diagnose(outcome)
    return replace(
        context.state,
        step=1,
        board="regularization",
        outcome=outcome,
        diagnosis=diagnosis,
        exhausted=frozenset({"regularize"}),
    )


def test_bias_that_regularizing_brought_back_opens_another_round(data):
    """Without regularizers the network fits: so they stay locked, and a better network beside them is looked for."""
    context = _work(data, _config(epochs=40))
    assert context.state.gap("optimization").verdict == "no"
    after = _regularized(context, l2=2_000.0)
    assert after.gap("optimization").verdict == "yes"
    again = around_again(context, after)
    assert again.round == 2
    assert again.outcome is after.outcome
    remedy = next_remedy(replace(context, state=again)).remedy
    assert remedy is not None
    assert remedy.board == "optimization"


def test_a_network_that_is_biased_without_regularizers_is_bettered_without_them(data):
    context = _work(data, _config(epochs=2))
    assert context.state.gap("optimization").verdict == "yes"
    again = around_again(context, _regularized(context, l2=2_000.0))
    assert again.round == 2
    assert again.outcome is context.state.plain
    assert again.outcome.config.regularization.is_off


def test_the_loop_does_not_go_round_for_ever(data):
    context = _work(data, _config(epochs=2))
    last = replace(_regularized(context, l2=2_000.0), round=MOST_ROUNDS)
    assert around_again(context, last) is last


def test_a_better_fit_in_a_later_round_is_regularized_anew(data):
    context = _work(data, _config(epochs=2))
    (outcome,) = context.run.train([_config(epochs=4)])
    state = replace(context.state, round=2, board="optimization", outcome=outcome, exhausted=frozenset({"regularize"}))
    assert around_again(context, state).exhausted == frozenset()


def _stopped(context: StepContext, **changes) -> tuple[str, str]:
    stop = stop_of(replace(context, state=replace(context.state, **changes)))
    return stop.code, stop.sentence


def test_a_run_says_why_it_stopped(data):
    every = frozenset(REMEDIES)
    overfit = _work(data, _config(epochs=40))
    code, sentence = _stopped(overfit, exhausted=every)
    assert code == "more data"
    assert "training rows (there are 400)" in sentence
    code, sentence = _stopped(_work(data, _config(epochs=1)), exhausted=every)
    assert code == "bias"
    assert sentence.endswith(".")


def test_a_dev_set_that_is_used_up_is_the_reason(data):
    context = _work(data, _config(epochs=1))
    used = [found for found in context.state.diagnosis.findings if found.code == "WF403"]
    fired = replace(used[0], status="fired", evidence="900 networks were compared on dev.")
    stop = stop_of(context, [fired])
    assert stop.code == "dev used up"
    assert "900 networks" in stop.sentence


def test_bias_inside_the_uncertainty_of_the_reference_is_the_reason(data):
    context = _work(data, _config(epochs=40))

    def diagnose(outcome: Outcome):
        errors = context.run.errors(outcome)
        unsure = Optimal(0.0, 0.1, source="given", upper_bound=False)
        fine = replace(errors["dev"], value=0.005, low=0.004, high=0.006)
        train = replace(errors["train"], value=0.05, low=0.05, high=0.05)
        return diagnose_losses(
            goal=ERROR,
            optimal=unsure,
            train=train,
            dev=replace(fine, value=0.05, low=0.049, high=0.051),
            tolerance=0.02,
        )

    diagnosis = diagnose(context.state.outcome)
    assert {name: gap.verdict for name, gap in diagnosis.gaps.items() if gap} == {
        "avoidable_bias": "cannot tell",
        "variance": "no",
    }
    code, sentence = _stopped(context, diagnosis=diagnosis)
    assert code == "reference"
    assert "uncertainty of the reference" in sentence


@pytest.mark.parametrize("kind", REMEDY_KINDS)
def test_every_prescribed_kind_can_be_carried_out_or_needs_a_person(kind):
    known = REMEDY_KINDS[kind]
    assert (kind in REMEDIES) != bool(known.person)
    if not known.person:
        require_kind(kind, early_stopping=True)
        return
    with pytest.raises(BadInput, match="Only a person can carry out") as refused:
        require_kind(kind)
    assert known.person in refused.value.remedy


@pytest.mark.parametrize("pictures", [False, True])
def test_a_prescribed_kind_turns_the_board_and_closes_the_gap_of_the_prescription(pictures):
    parts = {name: wilson(wrong, 10_000) for name, wrong in (("train_dev", 3_000), ("dev", 4_500), ("test", 6_000))}
    optimal = Optimal(0.0, 0.0, source="given", upper_bound=False)
    found = diagnose_losses(
        goal=ERROR, optimal=optimal, train=Estimate.fixed(0.15, rows=10_000), **parts, pictures=pictures
    )
    assert {each.because for each in found.prescription} == set(GAPS)
    for each in found.prescription:
        known = REMEDY_KINDS[each.kind]
        assert (each.board, each.because) == (known.board, known.gap)
        if not known.person:
            remedy = REMEDIES[each.kind]
            assert (remedy.board, remedy.closes) == (each.board, each.because)


def test_a_remedy_is_called_by_a_finding_of_the_catalogue():
    assert {each.finding for each in REMEDY_KINDS.values()} <= set(CHECKS)
