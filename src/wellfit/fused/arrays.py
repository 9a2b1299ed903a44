"""What the compiled updates read and write, by name.

Shapes: K members, T updates of one call, B rows of a batch, Q targets of a row, D numeric columns, C categorical
columns, S inputs that need no parameters (numbers, bins, one-hot), L layers, P parameters of a member. Matrices are
stored [inputs, outputs]. All reals have one type, float32 or float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wellfit._typing import Floats, Integers

RELU, TANH, GELU = 0, 1, 2
SGD, MOMENTUM, ADAM = 0, 1, 2


class Plan(NamedTuple):
    """What the members of a stack have in common.

    Attributes:
        layers: [L, 4] inputs, outputs, place of W and place of the bias in a member's parameters.
        embeddings: [E, 4] column of codes, size, place of the table, first of its inputs after the shared ones.
        one_hots: [Q, 3] column of codes, levels, first of its shared inputs.
        bins: [4, bins] column of numbers (as a real), lower edge, width of each bin, in the order of the inputs.
        decayed: the first so many parameters are W, the rest biases and embeddings.
        activation: RELU, TANH or GELU.
        optimizer: SGD, MOMENTUM or ADAM.
        classification: whether the target is a class.
    """

    layers: Integers
    embeddings: Integers
    one_hots: Integers
    bins: Floats
    decayed: int
    activation: int
    optimizer: int
    classification: bool


class State(NamedTuple):
    """Parameters [K, P], moments and moving average of all members; [K, 0] where the optimizer has none."""

    parameters: Floats
    first: Floats
    second: Floats
    average: Floats


class Rates(NamedTuple):
    """The knobs of every member at every update.

    Attributes:
        step: [T, K] factor of the gradient (or of its momentum, or of Adam's ratio).
        root: [T, K] 1/sqrt(1 - beta2^t), Adam's correction of the second moment.
        shrink: [T, K] factor of W before the step (decoupled decay).
        penalty: [T, K] lambda/m, by which W enters the gradient.
        soft: [T, K] threshold of the proximal step of L1.
        averaging: [T, K] decay of the moving average.
        share: [T, K] of a row in its mixture; 1 without mixup.
        thresholds: [T, K, L - 1] highest noise that keeps a unit.
        scales: [T, K, L - 1] 1/keep_prob.
        betas: [K, 2] of Adam; the first is also the momentum.
        clip: [K] highest norm of a gradient.
        smoothing: [K] label smoothing.
        jitter: [K] standard deviation of the noise on the numbers.
    """

    step: Floats
    root: Floats
    shrink: Floats
    penalty: Floats
    soft: Floats
    averaging: Floats
    share: Floats
    thresholds: npt.NDArray[np.uint16]
    scales: Floats
    betas: Floats
    clip: Floats
    smoothing: Floats
    jitter: Floats


class Batches(NamedTuple):
    """What the members read: T batches and the noise of T updates.

    Attributes:
        numeric: [T, B, D].
        codes: [T, B, C].
        shared: [T, B, S] the encoding of both, apart from embeddings.
        target: [T, B, Q] class codes or standardized values, as reals.
        weights: [T, B] of each row in the cost, their mean over all training rows 1.
        partners: [T, B] the row that each row is mixed with.
        jitter: [T, B, D] standard normal noise; [T, 0, 0] where no member wants it.
        noise: [T, B * hidden units] layer after layer.
    """

    numeric: Floats
    codes: Integers
    shared: Floats
    target: Floats
    weights: Floats
    partners: Integers
    jitter: Floats
    noise: npt.NDArray[np.uint16]


class Desk(NamedTuple):
    """Room to work in, one for all members.

    Attributes:
        values: [B * units] outputs of every layer, one after the other.
        slopes: [B * hidden units] derivative of each hidden unit's output by its input.
        deltas: [2, B * widest] derivative of the cost by a layer's outputs, and by those of the layer below.
        numbers: [B, D] a member's own numbers.
        inputs: [2, B, S] a member's own inputs, before and after they are mixed.
        embedded: [3, B, embedded inputs] the same for embeddings, and their derivatives.
        gradient: [P].
    """

    values: Floats
    slopes: Floats
    deltas: Floats
    numbers: Floats
    inputs: Floats
    embedded: Floats
    gradient: Floats
