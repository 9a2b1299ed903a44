"""Compiled updates of an MLP: every step from a batch to the next parameters of a member.

Members are trained one after another, each for all updates of a call: its parameters and moments stay in the core's
cache, and its arithmetic is separate, so that a member does not depend on which others are in the stack. All members
read the same batches, encoding and noise.

The letters of the shapes are those of `layout.py`. Literals would be float64, so they are avoided. GELU's normal
distribution function is computed with polynomials (end of this file): a call per number would cost more than the
update.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev
from scipy.special import erfcx

from wellfit.base.compiled import compiled
from wellfit.base.typing import Floats, Integers, Real
from wellfit.fused.layout import ADAM, MOMENTUM, RELU, TANH, Batches, Buffers, Encoded, Inputs, Plan, State
from wellfit.fused.rates import Rates
from wellfit.training.network import FEATURES, WAVES

KEEP_ALL = 65_535
"""The largest value of the noise; as a threshold, it keeps every unit."""
ADAM_EPSILON = 1e-8
CLIP_EPSILON = 1e-6


@compiled
def encode(plan: Plan, numeric: Floats, codes: Integers, shared: Floats) -> None:
    """Write numbers and one-hot categories [B, S] into `shared` (training/network.py, `MLP.encode`)."""
    columns = numeric.shape[1]
    zero, one = shared.dtype.type(0), shared.dtype.type(1)
    for row in range(len(numeric)):
        values, into = numeric[row], shared[row]
        for place in range(columns):
            into[place] = values[place]
        for place in range(columns, shared.shape[1]):
            into[place] = zero
        for place in range(len(plan.one_hots)):
            code = codes[row, plan.one_hots[place, 0]]
            if code > 0:
                into[plan.one_hots[place, 2] + code - 1] = one


@compiled
def look_up(plan: Plan, numeric: Floats, knots: Integers, shares: Floats) -> None:
    """Write the knot [B, Y] at or below each number that has bins, and its share [B, Y] of the way to the next knot.

    A number outside the edges is moved to the nearest edge, as bins are limited to [0, 1] (training/network.py).
    """
    zero, one = shares.dtype.type(0), shares.dtype.type(1)
    lows, widths = plan.bins[1], plan.bins[2]
    rows = len(numeric)
    bins = np.empty(rows, np.int64)
    for place in range(len(plan.binned)):
        column, first, length, knot = plan.binned[place]
        bins[:] = first
        while length > 1:
            half = length // 2
            # The search of all rows, step by step: it vectorizes, and no branch depends on a number.
            for row in range(rows):
                above = bins[row] + half
                bins[row] = above if lows[above] <= numeric[row, column] else bins[row]
            length -= half
        for row in range(rows):
            found = bins[row]
            share = (numeric[row, column] - lows[found]) / widths[found]
            knots[row, place] = knot + found - first
            shares[row, place] = min(max(share, zero), one)


@compiled
def train(
    plan: Plan, members: Integers, state: State, rates: Rates, batches: Batches, buffers: Buffers, losses: Floats
) -> None:
    """Make T updates of each of `members` (positions in the stack), and write each batch's cost to losses [T, K]."""
    for member in members:
        own = state.parameters[member]
        for update in range(len(batches.shared)):
            codes, partners, share = batches.codes[update], batches.partners[update], rates.share[update, member]
            thresholds, scales = rates.thresholds[update, member], rates.scales[update, member]
            inputs = _inputs(plan, own, batches, update, share, rates.spread[member], thresholds, scales, buffers)
            last = _forward(plan, own, inputs, batches.noise[update], thresholds, scales, buffers)
            target, weights = batches.target[update], batches.weights[update]
            if plan.classification:
                smoothing, deltas = rates.smoothing[member], buffers.deltas[0]
                losses[update, member] = _cross_entropy(last, target, weights, partners, share, smoothing, deltas)
            else:
                losses[update, member] = _squared_error(last, target, weights, partners, share, buffers.deltas[0])
            _backward(plan, own, inputs, buffers)
            if scales[-1] > 1:
                _drop_embedded(plan, buffers.embedded[2, : len(codes)], batches, update, thresholds[-1], scales[-1])
            _scatter(plan, codes, partners, share, buffers)
            if len(plan.waves):
                jittered = rates.spread[member] > 0
                numbers = buffers.inputs[0, : len(codes)] if jittered else batches.shared[update]
                _wave_gradient(plan, own, numbers, partners, share, buffers)
            advance(plan, state, rates, buffers.gradient, update, member)


@compiled
def outputs(plan: Plan, members: Integers, parameters: Floats, rows: Encoded, buffers: Buffers, found: Floats) -> None:
    """Write the outputs of `members` on B rows, without dropout, to found [members, B, outputs]."""
    noise = np.zeros(len(buffers.slopes), np.uint16)
    thresholds = np.full(len(plan.layers) - 1, KEEP_ALL, np.uint16)
    scales = np.ones(len(plan.layers) - 1, rows.shared.dtype)
    embedded, turns = buffers.embedded[0, : len(rows.shared)], buffers.turns
    inputs = Inputs(rows.shared, rows.knots, rows.shares.dtype.type(1) - rows.shares, rows.shares, embedded)
    for place in range(len(members)):
        own = parameters[members[place]]
        _embed(plan, own, rows.codes, embedded)
        _wave(plan, own, rows.shared, embedded, turns)
        found[place] = _forward(plan, own, inputs, noise, thresholds, scales, buffers)


@compiled
def advance(plan: Plan, state: State, rates: Rates, gradient: Floats, update: int, member: int) -> None:
    """Take one step along the gradient [P] of a member: clip, decay, optimizer, L1, moving average."""
    own, decayed = state.parameters[member], plan.decayed
    _clip(gradient, rates.clip[member])
    step = rates.step[update, member]
    if plan.optimizer == ADAM:
        first, second, betas = state.first[member], state.second[member], rates.betas[member]
        root, shrink = rates.root[update, member], rates.shrink[update, member]
        _adam(own[:decayed], gradient[:decayed], first[:decayed], second[:decayed], step, root, betas, shrink)
        kept = own.dtype.type(1)
        _adam(own[decayed:], gradient[decayed:], first[decayed:], second[decayed:], step, root, betas, kept)
    else:
        penalty = rates.penalty[update, member]
        for place in range(decayed):
            gradient[place] += penalty * own[place]
        moment = state.first[member] if plan.optimizer == MOMENTUM else gradient
        if plan.optimizer == MOMENTUM:
            momentum = rates.betas[member, 0]
            for place in range(len(own)):
                moment[place] = momentum * moment[place] + gradient[place]
        for place in range(len(own)):
            own[place] -= step * moment[place]
    _soften(own[:decayed], rates.soft[update, member])
    if state.average.shape[1]:
        _average(state.average[member], own, rates.averaging[update, member])


@compiled
def _inputs(
    plan: Plan,
    own: Floats,
    batches: Batches,
    update: int,
    share: Real,
    spread: Real,
    thresholds: npt.NDArray[np.uint16],
    scales: Floats,
    buffers: Buffers,
) -> Inputs:
    """Return a member's inputs of an update: numbers made noisy, rows mixed, columns dropped."""
    codes, partners = batches.codes[update], batches.partners[update]
    shared, knots, shares = batches.shared[update], batches.knots[update], batches.shares[update]
    embedded = buffers.embedded[0, : len(codes)]
    if spread > 0:
        shared, knots, shares = _jittered(plan, spread, batches, update, buffers)
    _embed(plan, own, codes, embedded)
    _wave(plan, own, shared, embedded, buffers.turns)
    knots, lows, highs = _weighed(plan, knots, shares, batches, update, share, thresholds[-1], scales[-1], buffers)
    if share < 1:
        shared = _mixed(shared, partners, share, buffers.inputs[1, : len(codes)])
        embedded = _mixed(embedded, partners, share, buffers.embedded[1, : len(codes)])
    if scales[-1] > 1:
        shared = _dropped(plan, shared, batches, update, thresholds[-1], scales[-1], buffers)
        _drop_embedded(plan, embedded, batches, update, thresholds[-1], scales[-1])
    return Inputs(shared, knots, lows, highs, embedded)


@compiled
def _jittered(
    plan: Plan, size: Real, batches: Batches, update: int, buffers: Buffers
) -> tuple[Floats, Integers, Floats]:
    numeric, noise = batches.numeric[update], batches.jitter[update]
    rows = len(numeric)
    shared, moved = buffers.inputs[0, :rows], buffers.numbers[:rows]
    columns = len(plan.binned)
    knots = buffers.knots[0, : rows * columns].reshape(rows, columns)
    shares = buffers.shares[0, : rows * columns].reshape(rows, columns)
    for row in range(rows):
        for place in range(numeric.shape[1]):
            moved[row, place] = numeric[row, place] + size * noise[row, place]
    encode(plan, moved, batches.codes[update], shared)
    look_up(plan, moved, knots, shares)
    return shared, knots, shares


@compiled
def _weighed(
    plan: Plan,
    knots: Integers,
    shares: Floats,
    batches: Batches,
    update: int,
    share: Real,
    threshold: np.uint16,
    scale: Real,
    buffers: Buffers,
) -> tuple[Integers, Floats, Floats]:
    """Return the knots of each row, and the weights of each knot and the next, after mixing rows and dropping columns.

    A mixed row has its own Y columns and those of its partner [B, 2Y].
    """
    rows, columns = knots.shape
    one, zero = shares.dtype.type(1), shares.dtype.type(0)
    sides = 2 if share < one else 1
    size = rows * sides * columns
    found = buffers.knots[1, :size].reshape(rows, sides * columns)
    lows = buffers.shares[1, :size].reshape(rows, sides * columns)
    highs = buffers.shares[2, :size].reshape(rows, sides * columns)
    drops = scale > one
    noise = _noise_of_inputs(batches, update) if drops else np.empty((0, 0), np.uint16)
    for row in range(rows):
        for side in range(sides):
            source, part = (row, share) if side == 0 else (batches.partners[update, row], one - share)
            for place in range(columns):
                into = side * columns + place
                weight = part
                if drops:
                    weight = part * scale if noise[row, plan.binned[place, 0]] <= threshold else zero
                found[row, into] = knots[source, place]
                lows[row, into] = weight * (one - shares[source, place])
                highs[row, into] = weight * shares[source, place]
    return found, lows, highs


@compiled
def _mixed(values: Floats, partners: Integers, share: Real, into: Floats) -> Floats:
    rest = values.dtype.type(1) - share
    for row in range(len(values)):
        for place in range(values.shape[1]):
            into[row, place] = share * values[row, place] + rest * values[partners[row], place]
    return into


@compiled
def _embed(plan: Plan, own: Floats, codes: Integers, into: Floats) -> None:
    for place in range(len(plan.embeddings)):
        column, size, table, first = plan.embeddings[place]
        for row in range(len(into)):
            start = table + codes[row, column] * size
            for dimension in range(size):
                into[row, first + dimension] = own[start + dimension]


@compiled
def _dropped(
    plan: Plan, values: Floats, batches: Batches, update: int, threshold: np.uint16, scale: Real, buffers: Buffers
) -> Floats:
    """Return the shared inputs with columns dropped: a number, or a category with its whole one-hot."""
    into, noise = buffers.inputs[1, : len(values)], _noise_of_inputs(batches, update)
    columns, zero = batches.numeric.shape[2], values.dtype.type(0)
    for row in range(len(values)):
        for place in range(columns):
            into[row, place] = values[row, place] * scale if noise[row, place] <= threshold else zero
        for category in range(len(plan.one_hots)):
            column, levels, first = plan.one_hots[category]
            kept = noise[row, columns + column] <= threshold
            for place in range(first, first + levels):
                into[row, place] = values[row, place] * scale if kept else zero
    return into


@compiled
def _drop_embedded(
    plan: Plan, values: Floats, batches: Batches, update: int, threshold: np.uint16, scale: Real
) -> None:
    """Drop embedded categories, or the derivatives with respect to them, in place."""
    noise, columns, zero = _noise_of_inputs(batches, update), batches.numeric.shape[2], values.dtype.type(0)
    for column in range(len(plan.waves)):
        for row in range(len(values)):
            kept = noise[row, column] <= threshold
            for place in range(column * FEATURES, (column + 1) * FEATURES):
                values[row, place] = values[row, place] * scale if kept else zero
    for category in range(len(plan.embeddings)):
        column, size, _, first = plan.embeddings[category]
        for row in range(len(values)):
            kept = noise[row, columns + column] <= threshold
            for place in range(first, first + size):
                values[row, place] = values[row, place] * scale if kept else zero


@compiled
def _noise_of_inputs(batches: Batches, update: int) -> npt.NDArray[np.uint16]:
    """Return the last part of an update's noise: one value for every column of every row [B, D + C]."""
    rows, width = batches.codes.shape[1], batches.numeric.shape[2] + batches.codes.shape[2]
    noise: npt.NDArray[np.uint16] = batches.noise[update]
    return noise[len(noise) - rows * width :].reshape(rows, width)


@compiled
def _scatter(plan: Plan, codes: Integers, partners: Integers, share: Real, buffers: Buffers) -> None:
    """Sum the derivatives with respect to embedded inputs into the tables; code 0 is not a level and stays zero."""
    gradient, rest = buffers.gradient, buffers.gradient.dtype.type(1) - share
    deltas = buffers.embedded[2]
    for place in range(len(plan.embeddings)):
        column, size, table, first = plan.embeddings[place]
        for row in range(len(codes)):
            for own, part in ((codes[row, column], share), (codes[partners[row], column], rest)):
                if own > 0 and part > 0:
                    for dimension in range(size):
                        gradient[table + own * size + dimension] += part * deltas[row, first + dimension]


@compiled
def _wave(plan: Plan, own: Floats, shared: Floats, into: Floats, turns: Floats) -> None:
    """Write the features of the numbers, the first of `shared`, and keep the cosine and sine of each wave."""
    size = len(plan.waves) * WAVES
    turn, square = np.empty(size, shared.dtype), np.empty(size, shared.dtype)
    for row in range(len(into) if size else 0):
        for column in range(len(plan.waves)):
            frequencies, phases, _, _ = plan.waves[column]
            value, first = shared[row, column], column * WAVES
            for wave in range(WAVES):
                turn[first + wave] = own[frequencies + wave] * value + own[phases + wave]
        _cosine_and_sine(turn, square, turns[0, row], turns[1, row])
        for column in range(len(plan.waves)):
            _, _, weights, biases = plan.waves[column]
            for feature in range(FEATURES):
                total, start = own[biases + feature], weights + feature * WAVES
                for wave in range(WAVES):
                    total += own[start + wave] * turns[0, row, column * WAVES + wave]
                into[row, column * FEATURES + feature] = total


@compiled
def _cosine_and_sine(turn: Floats, square: Floats, cosine: Floats, sine: Floats) -> None:
    """Write the cosine and sine of angles in turns, in a few passes that vectorize; `turn` and `square` are spent."""
    real = turn.dtype.type
    half = real(0.5)
    for place in range(len(turn)):
        # In whole turns a wave repeats: what is left lies in [-1/2, 1/2].
        left = turn[place] - np.floor(turn[place] + half)
        turn[place] = left
        square[place] = real(8) * left * left - real(1)
        cosine[place] = real(COSINE[0])
        sine[place] = real(SINE[0])
    for power in range(1, len(COSINE)):
        along, across = real(COSINE[power]), real(SINE[power])
        for place in range(len(turn)):
            cosine[place] = cosine[place] * square[place] + along
            sine[place] = sine[place] * square[place] + across
    for place in range(len(turn)):
        sine[place] *= turn[place]


@compiled
def _wave_gradient(plan: Plan, own: Floats, numbers: Floats, partners: Integers, share: Real, buffers: Buffers) -> None:
    """Add the derivatives by frequencies, phases, weights and biases to the gradient."""
    real, gradient, deltas = numbers.dtype.type, buffers.gradient, buffers.embedded[2]
    turn = real(2 * math.pi)
    if share < 1:
        deltas = _unmixed(deltas, partners, share, buffers.embedded[1])
    for row in range(len(partners)):
        for column in range(len(plan.waves)):
            frequencies, phases, weights, biases = plan.waves[column]
            value, first = numbers[row, column], column * WAVES
            cosine, sine = buffers.turns[0, row, first : first + WAVES], buffers.turns[1, row, first : first + WAVES]
            for feature in range(FEATURES):
                delta, start = deltas[row, column * FEATURES + feature], weights + feature * WAVES
                gradient[biases + feature] += delta
                for wave in range(WAVES):
                    gradient[start + wave] += delta * cosine[wave]
                    slope = -turn * sine[wave] * delta * own[start + wave]
                    gradient[phases + wave] += slope
                    gradient[frequencies + wave] += slope * value


@compiled
def _unmixed(deltas: Floats, partners: Integers, share: Real, into: Floats) -> Floats:
    """Return the derivatives by the rows before they were mixed."""
    rest = deltas.dtype.type(1) - share
    for row in range(len(partners)):
        for place in range(deltas.shape[1]):
            into[row, place] = share * deltas[row, place]
    for row in range(len(partners)):
        for place in range(deltas.shape[1]):
            into[partners[row], place] += rest * deltas[row, place]
    return into


@compiled
def _forward(
    plan: Plan,
    own: Floats,
    inputs: Inputs,
    noise: npt.NDArray[np.uint16],
    thresholds: npt.NDArray[np.uint16],
    scales: Floats,
    buffers: Buffers,
) -> Floats:
    rows, last = len(inputs.shared), len(plan.layers) - 1
    hidden = inputs.shared
    start = 0
    for layer in range(last + 1):
        below, width, place, bias = plan.layers[layer]
        end = start + rows * width
        values = buffers.values[start:end].reshape(rows, width)
        weights = own[place : place + below * width].reshape(below, width)
        if layer > 0:
            np.dot(hidden, weights, values)
        else:
            _first_products(plan, inputs, weights, values, buffers)
        if layer < last:
            dropped = noise[start:end].reshape(rows, width)
            slopes = buffers.slopes[start:end].reshape(rows, width)
            biases = own[bias : bias + width]
            _activate(values, biases, dropped, thresholds[layer], scales[layer], slopes, plan.activation)
        else:
            for row in range(rows):
                for unit in range(width):
                    values[row, unit] += own[bias + unit]
        hidden = values
        start = end
    return hidden


@compiled
def _first_products(plan: Plan, inputs: Inputs, weights: Floats, values: Floats, buffers: Buffers) -> None:
    rows, width = values.shape
    shared, fixed = inputs.shared.shape[1], inputs.shared.shape[1] + plan.bins.shape[1]
    if shared > 0:
        np.dot(inputs.shared, weights[:shared], values)
    else:
        values[:] = 0
    if fixed > shared:
        _tabulate(plan, weights[shared:fixed], buffers.table)
        _add_looked_up(inputs, buffers.table, values)
    if inputs.embedded.shape[1] > 0:
        products = buffers.deltas[1, : rows * width].reshape(rows, width)
        np.dot(inputs.embedded, weights[fixed:], products)
        for row in range(rows):
            for unit in range(width):
                values[row, unit] += products[row, unit]


@compiled
def _tabulate(plan: Plan, weights: Floats, table: Floats) -> None:
    """Write what the bins of a column contribute at each of its knots: the sum of W [bins, H] over the bins below."""
    for place in range(len(plan.binned)):
        _, first, count, knot = plan.binned[place]
        table[knot] = 0
        for step in range(count):
            for unit in range(table.shape[1]):
                table[knot + step + 1, unit] = table[knot + step, unit] + weights[first + step, unit]


@compiled
def _add_looked_up(inputs: Inputs, table: Floats, values: Floats) -> None:
    """Add what the bins contribute: a number lies between two knots, and so does its contribution."""
    for row in range(len(values)):
        into = values[row]
        for place in range(inputs.knots.shape[1]):
            knot, low, high = inputs.knots[row, place], inputs.lows[row, place], inputs.highs[row, place]
            here, there = table[knot], table[knot + 1]
            for unit in range(len(into)):
                into[unit] += low * here[unit] + high * there[unit]


@compiled
def _bin_gradient(plan: Plan, inputs: Inputs, deltas: Floats, table: Floats, into: Floats) -> None:
    """Write the derivative by the W of the bins [bins, H]: each row's goes to two knots, and W counts in all above."""
    width, columns = deltas.shape[1], len(plan.binned)
    for place in range(columns):
        _, first, count, knot = plan.binned[place]
        table[knot : knot + count + 1] = 0
        for side in range(place, inputs.knots.shape[1], columns):
            for row in range(len(deltas)):
                at, low, high = inputs.knots[row, side], inputs.lows[row, side], inputs.highs[row, side]
                here, there, delta = table[at], table[at + 1], deltas[row]
                for unit in range(width):
                    here[unit] += low * delta[unit]
                    there[unit] += high * delta[unit]
        into[first + count - 1] = table[knot + count]
        for step in range(count - 2, -1, -1):
            for unit in range(width):
                into[first + step, unit] = into[first + step + 1, unit] + table[knot + step + 1, unit]


@compiled
def _activate(
    values: Floats,
    bias: Floats,
    noise: npt.NDArray[np.uint16],
    threshold: np.uint16,
    scale: Real,
    slopes: Floats,
    activation: int,
) -> None:
    """Add the bias, activate and drop units in place, and keep the derivative, which spares the backward pass both."""
    zero = values.dtype.type(0)
    spare = np.empty((4, values.shape[1]), values.dtype)
    for row in range(len(values)):
        if activation == RELU:
            for unit in range(values.shape[1]):
                value = values[row, unit] + bias[unit]
                kept = noise[row, unit] <= threshold
                # NaN is not <= 0, and so it survives.
                values[row, unit] = (zero if value <= zero else value * scale) if kept else zero
                slopes[row, unit] = (scale if value > zero else zero) if kept else zero
        elif activation == TANH:
            one = values.dtype.type(1)
            for unit in range(values.shape[1]):
                value = values.dtype.type(math.tanh(values[row, unit] + bias[unit]))
                kept = noise[row, unit] <= threshold
                values[row, unit] = value * scale if kept else zero
                slopes[row, unit] = (one - value * value) * scale if kept else zero
        else:
            below, density = _normal(values[row], bias, spare)
            for unit in range(values.shape[1]):
                value = values[row, unit] + bias[unit]
                kept = noise[row, unit] <= threshold
                values[row, unit] = value * below[unit] * scale if kept else zero
                slopes[row, unit] = (below[unit] + value * density[unit]) * scale if kept else zero


@compiled
def _normal(values: Floats, bias: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """Compute the normal distribution function and its density at values + bias, in a few passes that vectorize."""
    real = values.dtype.type
    one, half = real(1), real(0.5)
    place, below, ahead, density = spare[0], spare[1], spare[2], spare[3]
    lowest, root = real(LOWEST), real(math.sqrt(0.5))
    for unit in range(len(values)):
        value = values[unit] + bias[unit]
        # A comparison with NaN is false, and so it survives.
        power = -half * value * value
        ahead[unit] = one - (lowest if power < lowest else power) * real(2 / LOWEST)
        place[unit] = real(4) / (real(2) + abs(value) * root) - one
        below[unit] = real(TAIL[0])
        density[unit] = real(EXPONENTIAL[0])
    for power in range(1, len(TAIL)):
        factor = real(TAIL[power])
        for unit in range(len(values)):
            below[unit] = below[unit] * place[unit] + factor
    for power in range(1, len(EXPONENTIAL)):
        factor = real(EXPONENTIAL[power])
        for unit in range(len(values)):
            density[unit] = density[unit] * ahead[unit] + factor
    peak = real(1 / math.sqrt(2 * math.pi))
    for unit in range(len(values)):
        tall = density[unit]
        for _ in range(SQUARINGS):
            tall *= tall
        tail = half * half * (place[unit] + one) * below[unit] * tall
        below[unit] = one - tail if values[unit] + bias[unit] > 0 else tail
        density[unit] = peak * tall
    return below, density


@compiled
def _cross_entropy(
    logits: Floats, target: Floats, weights: Floats, partners: Integers, share: Real, smoothing: Real, deltas: Floats
) -> Real:
    """Return the cost against the mixed and smoothed labels, and write its derivative with respect to the logits."""
    rows, classes = logits.shape
    one = logits.dtype.type(1)
    each = smoothing / logits.dtype.type(classes)
    own, other = (one - smoothing) * share, (one - smoothing) * (one - share)
    cost, each_row = logits.dtype.type(0), one / logits.dtype.type(rows)
    for row in range(rows):
        first, second = int(target[row, 0]), int(target[partners[row], 0])
        part = each_row * (share * weights[row] + (one - share) * weights[partners[row]])
        highest = logits[row, 0]
        for place in range(1, classes):
            highest = max(highest, logits[row, place])
        total, along = logits.dtype.type(0), logits.dtype.type(0)
        for place in range(classes):
            power = logits.dtype.type(math.exp(logits[row, place] - highest))
            deltas[row * classes + place] = power
            total += power
            if each > 0:
                along += each * (logits[row, place] - highest)
        along += own * (logits[row, first] - highest)
        if other > 0:
            # Logits may be so far apart that 0 times their difference is not 0.
            along += other * (logits[row, second] - highest)
        cost += (logits.dtype.type(math.log(total)) - along) * part
        for place in range(classes):
            deltas[row * classes + place] = (deltas[row * classes + place] / total - each) * part
        deltas[row * classes + first] -= own * part
        deltas[row * classes + second] -= other * part
    return cost


@compiled
def _squared_error(
    values: Floats, target: Floats, weights: Floats, partners: Integers, share: Real, deltas: Floats
) -> Real:
    rows, targets = values.shape
    one = values.dtype.type(1)
    cost, each_row = values.dtype.type(0), one / values.dtype.type(rows * targets)
    for row in range(rows):
        part = each_row * (share * weights[row] + (one - share) * weights[partners[row]])
        for place in range(targets):
            miss = values[row, place] - share * target[row, place] - (one - share) * target[partners[row], place]
            cost += miss * miss * part
            deltas[row * targets + place] = (miss + miss) * part
    return cost


@compiled
def _backward(plan: Plan, own: Floats, inputs: Inputs, buffers: Buffers) -> None:
    """Write the gradient [P], given the derivative with respect to the outputs in buffers.deltas[0]."""
    gradient, rows, side = buffers.gradient, len(inputs.shared), 0
    gradient[plan.decayed :] = 0
    end = 0
    for layer in range(len(plan.layers)):
        end += rows * plan.layers[layer, 1]
    for layer in range(len(plan.layers) - 1, -1, -1):
        below, width, place, bias = plan.layers[layer]
        end -= rows * width
        deltas = buffers.deltas[side, : rows * width].reshape(rows, width)
        if layer < len(plan.layers) - 1:
            slopes = buffers.slopes[end : end + rows * width].reshape(rows, width)
            for row in range(rows):
                for unit in range(width):
                    deltas[row, unit] *= slopes[row, unit]
        _add_rows(deltas, gradient[bias : bias + width])
        weights = own[place : place + below * width].reshape(below, width)
        into = gradient[place : place + below * width].reshape(below, width)
        if layer > 0:
            hidden = buffers.values[end - rows * below : end].reshape(rows, below)
            np.dot(hidden.T, deltas, into)
            side = 1 - side
            np.dot(deltas, weights.T, buffers.deltas[side, : rows * below].reshape(rows, below))
        else:
            shared, fixed = inputs.shared.shape[1], inputs.shared.shape[1] + plan.bins.shape[1]
            if shared > 0:
                np.dot(inputs.shared.T, deltas, into[:shared])
            if fixed > shared:
                _bin_gradient(plan, inputs, deltas, buffers.table, into[shared:fixed])
            if inputs.embedded.shape[1] > 0:
                np.dot(inputs.embedded.T, deltas, into[fixed:])
                np.dot(deltas, weights[fixed:].T, buffers.embedded[2, :rows])


@compiled
def _add_rows(values: Floats, into: Floats) -> None:
    for row in range(len(values)):
        for place in range(len(into)):
            into[place] += values[row, place]


@compiled
def _clip(gradient: Floats, highest: Real) -> None:
    """Scale a gradient down to the norm `highest`, as torch's clip_grad_norm_ does."""
    if highest == np.inf:
        return
    squares = gradient.dtype.type(0)
    for place in range(len(gradient)):
        squares += gradient[place] * gradient[place]
    factor = gradient.dtype.type(highest / (math.sqrt(squares) + CLIP_EPSILON))
    if factor < 1:
        for place in range(len(gradient)):
            gradient[place] *= factor


@compiled
def _adam(
    own: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    step: Real,
    root: Real,
    betas: Floats,
    shrink: Real,
) -> None:
    """Take a step of Adam with decoupled decay (Loshchilov and Hutter, 2019, algorithm 2)."""
    one, epsilon = own.dtype.type(1), own.dtype.type(ADAM_EPSILON)
    beta1, beta2 = betas[0], betas[1]
    rest1, rest2 = one - beta1, one - beta2
    for place in range(len(own)):
        slope = gradient[place]
        mean = beta1 * first[place] + rest1 * slope
        square = beta2 * second[place] + rest2 * slope * slope
        first[place] = mean
        second[place] = square
        own[place] = shrink * own[place] - step * mean / (np.sqrt(square) * root + epsilon)


@compiled
def _soften(weights: Floats, threshold: Real) -> None:
    """Take the proximal step of L1 (Parikh and Boyd, 2014, section 6.5.2), whose zeros are exact."""
    zero = weights.dtype.type(0)
    if threshold > zero:
        for place in range(len(weights)):
            size = abs(weights[place]) - threshold
            weights[place] = math.copysign(max(size, zero), weights[place])


@compiled
def _average(average: Floats, own: Floats, decay: Real) -> None:
    rest = own.dtype.type(1) - decay
    for place in range(len(own)):
        average[place] = decay * average[place] + rest * own[place]


SQUARINGS = 5
LOWEST = -40.0
"""exp(-40) = 4e-18: at lower arguments the tail is negligible compared with 1."""
_NODES = 400


def _fitted(values: Floats, *, degree: int) -> Floats:
    """Return the coefficients of the polynomial through values at the Chebyshev nodes, the highest power first."""
    return np.ascontiguousarray(chebyshev.cheb2poly(chebyshev.chebfit(_PLACES, values, degree))[::-1])


_PLACES = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
_TURNS, _TAILS = np.sqrt((_PLACES + 1) / 8), (_PLACES + 1) / 2
COSINE = _fitted(np.cos(2 * np.pi * _TURNS), degree=11)
SINE = _fitted(np.sin(2 * np.pi * _TURNS) / _TURNS, degree=11)
"""cos(2 pi t), and sin(2 pi t) / t, as polynomials in 8 t^2 - 1 for t in [-1/2, 1/2]."""
TAIL = _fitted(erfcx(2 / _TAILS - 2) / _TAILS, degree=18)
EXPONENTIAL = _fitted(np.exp((_PLACES - 1) / 2 * -(LOWEST / 2**SQUARINGS)), degree=14)
"""The polynomials P and E; E's variable is 2 r / |lowest| + 1, where r is the argument in [lowest, 0]."""
