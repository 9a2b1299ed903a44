"""`fit_stack` against `fit`: the same endings, curves and losses; rungs, deadlines and passes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from oracle.loop import Training
from oracle.stack import fit, new_network
from wellfit.exceptions import BadInput
from wellfit.fused import engine, race
from wellfit.fused.engine import fit_stack, require_trainable, stacks_of
from wellfit.fused.layout import layout_of
from wellfit.fused.memory import parse_memory, plan_memory
from wellfit.records.config import Config, Network, Optimization, Regularization, total_updates
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.training.schedules import rung_updates
from wellfit.training.tensors import predict, state_of

pytestmark = pytest.mark.timeout(600)

GOALS = {"classification": goal_named("log_loss"), "regression": goal_named("rmse")}
BASE = Config(
    network=Network(widths=(12, 8), bins=5),
    optimization=Optimization(lr=0.01, epochs=15, batch_size=64),
    regularization=Regularization(keep_prob=0.8),
    seed=1,
)


def with_knobs(**knobs):
    ours = {name: value for name, value in knobs.items() if name in Optimization.__dataclass_fields__}
    rest = {name: value for name, value in knobs.items() if name not in ours}
    return replace(
        BASE,
        optimization=replace(BASE.optimization, **ours),
        regularization=replace(BASE.regularization, **rest),
    )


def outcomes_of(data, configs, *, goal=None, **options):
    told = []
    goal = goal or GOALS[data.preparation.schema.task]
    fit_stack(data, configs, goal=goal, on_outcome=told.append, **options)
    assert len({outcome.identity for outcome in told}) == len(told)
    found = {outcome.identity: outcome for outcome in told}
    return [found[config.identity] for config in configs if config.identity in found]


@pytest.mark.parametrize("task", GOALS)
def test_outcomes_are_those_of_the_reference_loop(task, table):
    data = table(task)
    configs = [
        with_knobs(),
        with_knobs(l2=5.0, keep_prob=0.5),
        with_knobs(ema=0.9),
        with_knobs(early_stopping=2),
        with_knobs(lr=0.1, early_stopping=1),
    ]
    for config, ours in zip(configs, outcomes_of(data, configs), strict=True):
        theirs = fit(data, config, goal=GOALS[task])
        assert (ours.config, ours.status, ours.updates) == (theirs.config, theirs.status, theirs.updates)
        assert [point.update for point in ours.curve] == [point.update for point in theirs.curve]
        for one, other in zip(ours.curve, theirs.curve, strict=True):
            assert (one.train, one.dev) == pytest.approx((other.train, other.dev), rel=0.02)
        assert dict(ours.losses) == pytest.approx(dict(theirs.losses), rel=0.02)
        assert ours.weight_norms == pytest.approx(theirs.weight_norms, rel=0.01)
        assert ours.state.keys() == theirs.state.keys()
        assert {name: one.shape for name, one in ours.state.items()} == {
            n: one.shape for n, one in theirs.state.items()
        }
        assert ours.effects.keys() == theirs.effects.keys()
        assert ours.seconds > 0


def test_a_member_that_diverges_is_told_with_its_config_and_stops_no_other(table):
    data = table("regression")
    wild = with_knobs(lr=1e30, optimizer="sgd")
    tame = [with_knobs(optimizer="sgd", lr=lr) for lr in (0.01, 0.02)]
    outcomes = outcomes_of(data, [tame[0], wild, tame[1]])
    assert [outcome.status for outcome in outcomes] == [Status.FINISHED, Status.DIVERGED, Status.FINISHED]
    theirs = fit(data, wild, goal=GOALS["regression"])
    assert (theirs.status, theirs.updates) == (outcomes[1].status, outcomes[1].updates)
    assert all(np.isfinite(loss) for loss in outcomes[1].losses.values())
    alone = outcomes_of(data, tame)
    np.testing.assert_array_equal(outcomes[2].predictions["dev"], alone[1].predictions["dev"])


@dataclass
class Clock:
    """Takes the place of `time` in the engine: every look at it takes a hundredth of a second, however busy we are."""

    now: float = 0.0

    def monotonic(self):
        self.now += 0.01
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    for module in (engine, race):
        monkeypatch.setattr(module, "time", made)
    return made


def test_a_deadline_cuts_all_members_short_and_lets_no_further_pass_start(table, clock):
    data = table("classification")
    endless = [with_knobs(epochs=1_000_000, l2=float(l2)) for l2 in range(4)]
    limit = plan_memory(data, endless, network=layout_of(data, endless[0])).fixed
    member = plan_memory(data, endless, network=layout_of(data, endless[0])).member
    outcomes = outcomes_of(data, endless, deadline=1.0, memory=limit + 2 * member)
    assert [outcome.config for outcome in outcomes] == endless[:2]
    assert {outcome.status for outcome in outcomes} == {Status.OUT_OF_BUDGET}
    assert all(outcome.curve[-1].update == outcome.updates > 0 for outcome in outcomes)
    assert 1.0 <= clock.now < 1.5


ANNEALED = [with_knobs(schedule="coslog4", l2=float(l2)) for l2 in (0, 1, 2, 3)]


UNCOMPILED = """
import sys, time
import numpy as np, pyarrow as pa
import wellfit as wf
from wellfit.fused.compiled_stack import is_ready
from wellfit.fused.engine import fit_stack
from wellfit.records.goals import goal_named
x = np.random.default_rng(0).normal(size=(300, 2))
data = wf.split(pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "yes", "no")}), target="y").prepared()
config, found, ready = wf.Config(optimization=wf.Optimization(epochs=8, batch_size=32)), [], []
for deadline in (time.monotonic() + 60, None, time.monotonic() + 60):
    fit_stack(data, [config], goal=goal_named("log_loss"), on_outcome=found.append, deadline=deadline)
    ready.append(is_ready())
assert ready == [False, True, True], ready
assert all(each.status.value == "finished" for each in found)
assert abs(found[0].losses["dev"] - found[1].losses["dev"]) < 1e-3, [each.losses for each in found]
"""


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_loops_that_would_compile_beyond_the_deadline_are_left_to_torch(tmp_path):
    """An empty cache is that of a first run after the installation."""
    fresh = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", UNCOMPILED], env=fresh, check=True)


def test_at_rungs_the_judge_drops_members_and_the_others_go_on_as_without_them(table):
    data = table("classification")
    planned = total_updates(BASE, rows=data.train.rows)
    rungs = rung_updates(planned)
    asked = []

    def judge(losses, affordable):
        asked.append((set(losses), affordable))
        for identity, rows in losses.items():
            assert rows.shape == (data.dev.rows,), identity
        leaves = ANNEALED[len(asked) - 1].identity
        return [identity for identity in losses if identity != leaves]

    outcomes = outcomes_of(data, ANNEALED, judge=judge)
    assert [outcome.status for outcome in outcomes] == [Status.DROPPED] * 3 + [Status.FINISHED]
    assert [outcome.updates for outcome in outcomes] == [*rungs, planned]
    assert [len(members) for members, _ in asked] == [4, 3, 2]
    assert all(affordable == len(members) for members, affordable in asked)
    last = outcomes[-1]
    assert last.snapshots == rungs
    alone = outcomes_of(data, ANNEALED[-1:])[0]
    np.testing.assert_array_equal(last.predictions["dev"], alone.predictions["dev"])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_snapshot_is_the_network_that_the_judge_saw_and_that_the_reference_loop_has_there(table, ema):
    data, seen, told = table("classification"), [], []
    configs = [replace(one, regularization=replace(one.regularization, ema=ema)) for one in ANNEALED[:2]]

    def judge(losses, _affordable):
        seen.append(dict(losses))
        return list(losses)

    fit_stack(data, configs, goal=GOALS["classification"], judge=judge, on_outcome=told.append)
    snapshots = [outcome for outcome in told if outcome.is_snapshot]
    planned = total_updates(BASE, rows=data.train.rows)
    assert [each.updates for each in snapshots] == [rung for rung in rung_updates(planned) for _ in configs]
    for place, snapshot in enumerate(snapshots):
        expected = GOALS["classification"].row_losses(data.dev.target, snapshot.predictions["dev"])
        losses = seen[place // len(configs)][snapshot.config.identity]
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
        again = predict(data.preparation, snapshot.config, snapshot.state)
        np.testing.assert_allclose(again(data.dev), snapshot.predictions["dev"], atol=1e-6)
        network = new_network(data, snapshot.config.network, seed=snapshot.config.seed)
        training = Training(snapshot.config, data, network=network)
        for _ in zip(range(snapshot.updates), training.losses(), strict=False):
            pass
        for name, value in state_of(training.measured, data).items():
            np.testing.assert_allclose(snapshot.state[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    assert len({each.identity for each in told}) == len(told)


def test_a_deadline_that_pays_for_few_members_says_so_to_the_judge(table, clock):
    data, told = table("classification"), []
    slow = [replace(one, optimization=replace(one.optimization, epochs=300)) for one in ANNEALED]
    outcomes_of(data, slow)
    whole, clock.now = clock.now, 0.0

    def judge(losses, affordable):
        told.append(affordable)
        return list(losses)[: max(affordable, 1)]

    outcomes_of(data, slow, judge=judge, deadline=0.6 * whole)
    assert told[0] == len(slow) // 2


def test_passes_give_what_one_pass_gives(table):
    data = table("classification")
    configs = [with_knobs(l2=float(l2), epochs=3) for l2 in range(5)]
    plan = plan_memory(data, configs, network=layout_of(data, configs[0]))
    whole = outcomes_of(data, configs)
    passes = outcomes_of(data, configs, memory=plan.fixed + 2 * plan.member)
    for one, other in zip(whole, passes, strict=True):
        np.testing.assert_array_equal(one.predictions["dev"], other.predictions["dev"])


@pytest.mark.parametrize("members", [1, 2, 3, 7, 64])
def test_more_memory_never_means_more_passes(members, table):
    data = table("classification")
    configs = [with_knobs(l2=float(l2)) for l2 in range(members)]
    layout = layout_of(data, BASE)
    whole = plan_memory(data, configs, network=layout)
    assert (whole.members, whole.passes) == (members, 1)
    limits = [whole.fixed + int(share * whole.member) for share in np.linspace(1, members + 1, 9)]
    plans = [plan_memory(data, configs, network=layout, limit=limit) for limit in limits]
    assert all(plan.peak <= limit for plan, limit in zip(plans, limits, strict=True))
    assert all(plan.members * plan.passes >= members for plan in plans)
    passes = [plan.passes for plan in plans]
    assert passes == sorted(passes, reverse=True)
    with pytest.raises(BadInput, match="memory must hold at least one member"):
        plan_memory(data, configs, network=layout, limit=whole.fixed + whole.member - 1)


def test_a_small_table_takes_little(table):
    data, configs = table("classification"), [with_knobs(l2=float(l2)) for l2 in range(4)]
    assert plan_memory(data, configs, network=layout_of(data, BASE)).peak < 50e6


def test_all_stacks_are_refused_before_the_first_is_trained(table):
    data = table("classification")
    small, large = BASE, replace(BASE, network=Network(widths=(4_000, 4_000)))
    limit = plan_memory(data, [small], network=layout_of(data, small)).least
    assert require_trainable(data, [[small]], memory=limit) == limit
    assert require_trainable(data, [[small], [large]]) == 0
    with pytest.raises(BadInput, match="memory must hold at least one member"):
        require_trainable(data, [[small], [large]], memory=limit)


SIZES = {"500m": 500 * 2**20, "4g": 2**32, "4 GiB": 2**32, "1.5G": 3 * 2**29, "1000000": 1_000_000, "8k": 8_192}


@pytest.mark.parametrize("text", SIZES)
def test_memory_as_it_is_written(text):
    assert parse_memory(text) == SIZES[text]


@pytest.mark.parametrize("text", ["", "0", "-1g", "much", "4x", "0m"])
def test_memory_that_is_no_size_is_refused(text):
    with pytest.raises(BadInput, match="memory must be a positive size"):
        parse_memory(text)


def test_stacks_hold_what_fuses():
    alike = [with_knobs(lr=0.1), with_knobs(l2=3.0, ema=0.5), with_knobs(betas=(0.5, 0.9), schedule="constant")]
    others = [
        with_knobs(batch_size=32),
        with_knobs(epochs=16),
        with_knobs(optimizer="sgd"),
        replace(BASE, seed=2),
        replace(BASE, network=Network(widths=(12, 9))),
        replace(BASE, network=Network(widths=(12, 8), activation="tanh")),
    ]
    assert stacks_of([alike[0], *others, *alike[1:]]) == [alike, *([one] for one in others)]


def test_label_smoothing_of_values_is_refused_before_any_training(table):
    with pytest.raises(BadInput, match="label_smoothing"):
        outcomes_of(table("regression"), [with_knobs(), with_knobs(label_smoothing=0.1)])


ON = {
    "l2": 5.0,
    "l1": 1.0,
    "label_smoothing": 0.1,
    "input_noise": 0.2,
    "input_keep_prob": 0.8,
    "mixup": 0.3,
    "ema": 0.9,
    "keep_prob": 0.5,
    "clip_norm": 0.1,
    "betas": (0.5, 0.9),
    "lr": 0.02,
    "schedule": "constant",
}
OFF = {
    "l2": 0.0,
    "l1": 0.0,
    "label_smoothing": 0.0,
    "input_noise": 0.0,
    "input_keep_prob": 1.0,
    "mixup": 0.0,
    "ema": 0.0,
    "clip_norm": 1e9,
}


@pytest.mark.parametrize("knob", ON)
def test_every_knob_changes_the_outcome_when_on_and_nothing_when_off(knob, table):
    data = table("classification")
    plain, on = with_knobs(epochs=3), with_knobs(epochs=3, **{knob: ON[knob]})
    off = with_knobs(epochs=3, **({knob: OFF[knob]} if knob in OFF else {}))
    without, changed = outcomes_of(data, [plain, on])
    assert not np.array_equal(without.predictions["dev"], changed.predictions["dev"])
    # Beside a member that has it on, one that has it off is as if the knob did not exist.
    unchanged = next(o for o in outcomes_of(data, [on, off]) if o.config == off)
    np.testing.assert_array_equal(unchanged.predictions["dev"], without.predictions["dev"])


@pytest.mark.parametrize("schedule", ["l2_schedule", "keep_prob_schedule"])
def test_schedules_act_only_where_there_is_something_to_schedule(schedule, table):
    data = table("classification")
    for strong, same in ((True, False), (False, True)):
        knobs = {"l2": 50.0, "keep_prob": 0.5} if strong else {"l2": 0.0, "keep_prob": 1.0}
        constant, fading = outcomes_of(data, [with_knobs(**knobs), with_knobs(**knobs, **{schedule: "flat_cos"})])
        assert np.array_equal(constant.predictions["dev"], fading.predictions["dev"]) is same


def test_l1_makes_exact_zeros_that_survive_to_the_end(table):
    none, some = outcomes_of(table("classification"), [with_knobs(l1=0.0), with_knobs(l1=100.0)])
    assert none.effects["zeros"] == 0
    assert some.effects["zeros"] > 0.05
    assert some.effects["exported_bytes"] <= none.effects["exported_bytes"]
