"""WF501 to WF510: a network, its loss and its rows, before anything is trained."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import CatalogueEntry, Command, States

CHECK = Command(
    "wellfit check churn.csv --target churned --module net.py:make_net",
    "runs all checks on the network that `make_net` in net.py builds",
)

ENTRIES = (
    CatalogueEntry(
        code="WF501",
        title="loss at the start",
        topic="loss at the start",
        meaning="The loss at the start is far above that of guessing. Outputs or targets have the wrong scale, and "
        "training must correct it first.",
        computed="The loss of up to 128 rows before any update, in training mode without dropout, is compared with "
        "the loss of outputs of 0 (log K for softmax losses, log 2 for logistic ones) or with that of the best "
        "constant (for squared errors, the variance of y).",
        states=States(
            fired="the loss is more than 1.5 above that of outputs of 0, or more than 4 times that of the best "
            "constant.",
            passed="the loss is below these limits.",
            unknown="the loss has no minimum over constants, or refuses the outputs.",
        ),
        remedy="Scale down the weights of the last layer, or initialize them with zero. Standardize a real target: "
        "subtract its training mean and divide by its standard deviation.",
        caution="A pretrained network may start below guessing, which never fires. A loss that is a sum over rows is "
        "first divided by their number.",
        commands=(CHECK,),
        source="Karpathy, A Recipe for Training Neural Networks: verify the loss at the start.",
    ),
    CatalogueEntry(
        code="WF502",
        title="outputs that do not fit the loss",
        topic="outputs and loss",
        meaning="The loss takes the outputs for something other than what they are. Either there is one softmax too "
        "many, raw outputs are given where log-probabilities are expected, some targets are out of reach, or the "
        "shapes make the loss compare every output with every target.",
        computed="wellfit evaluates the loss on made-up outputs to find out what it expects: adding a constant does "
        "not change the loss of logits, but it changes that of log-probabilities. The outputs are then checked "
        "against it: their sums over the classes, their shapes, and the bounds within which they stay if the weights "
        "are replaced by other and larger ones.",
        states=States(
            fired="the outputs sum to 1 where logits are expected, are not normalized where log-probabilities are "
            "expected, stay within bounds that exclude y or a small loss, are compared every one with every target, "
            "or are refused by the loss.",
            passed="none of these is the case.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="For `cross_entropy` and `binary_cross_entropy_with_logits`, return logits without softmax or sigmoid; "
        "for `nll_loss`, return a `log_softmax`. Give outputs and targets the same shape. End a regression network "
        "with a plain linear layer.",
        caution="Probabilities may be right for a loss of your own. Such a loss is not recognized as one of logits, "
        "and nothing fires.",
        commands=(CHECK,),
        source="PyTorch's documentation of its losses.",
    ),
    CatalogueEntry(
        code="WF503",
        title="parameters that are not trained",
        topic="parameters that are trained",
        meaning="Some parameters never change, because no gradient reaches them, they are not in the optimizer, or "
        "they are frozen at random values.",
        computed="wellfit computes the gradient on 64 rows, after constant parameters (gates and last layers that "
        "start at zero) have been given random values. It also looks at the groups of the optimizer, and at whether "
        "frozen weights are uniform within 1 / sqrt(inputs), as torch initializes them.",
        states=States(
            fired="a gradient is missing or exactly 0, a trained parameter is not in the optimizer, or a frozen "
            "parameter is in the optimizer or still at its random start.",
            passed="none of these is the case.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Use the layer in forward, or delete it. Remove detach(), no_grad() and numpy between the layer and "
        "the loss. Build the optimizer after the network is complete. Freeze only parameters that were trained "
        "elsewhere.",
        caution="Experts that none of the 64 rows reaches have no gradient either. Weights that are frozen on purpose "
        "pass unless they look freshly initialized.",
        commands=(CHECK,),
        source="Automatic differentiation: a parameter without a path to the loss has no gradient.",
    ),
    CatalogueEntry(
        code="WF504",
        title="list entries that are the same layer",
        topic="shared layers",
        meaning="A list contains the same layer several times. These entries share their parameters, so the network "
        "is smaller than it looks.",
        computed="wellfit looks for repeated entries with parameters in `nn.Sequential`, `nn.ModuleList` and "
        "`nn.ModuleDict`.",
        states=States(
            fired="a list contains a layer with parameters more than once.",
            passed="no list does. Parameters that are tied by name (such as an embedding and the last layer) pass, "
            "and the evidence counts them.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Build a new layer for each entry: `nn.ModuleList(make_layer() for _ in range(n))` instead of `[layer] "
        "* n`.",
        caution="If a layer is shared on purpose, call it in a loop, which is clearer and does not make this check "
        "fire.",
        commands=(CHECK,),
        source="Python's lists: `[layer] * n` contains one object n times.",
    ),
    CatalogueEntry(
        code="WF505",
        title="rows that change each other",
        topic="independence of the rows",
        meaning="In evaluation the outputs of a row depend on the other rows of its batch, so some operation works "
        "along the wrong axis.",
        computed="In a batch of 12 rows, first the first row and then the last row is replaced by another one. The "
        "outputs of the other rows must not change.",
        states=States(
            fired="outputs of other rows change by more than a thousandth of their standard deviation, or rows are no "
            "longer the first axis.",
            passed="the outputs of the other rows do not change.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Look for a softmax, mean, norm or reshape along axis 0, a recurrent layer without batch_first=True, "
        "and batch statistics that are used in evaluation.",
        caution="Networks over a graph whose nodes are the rows mix them on purpose. So does batch norm in training, "
        "which is not checked.",
        commands=(CHECK,),
        source="Karpathy's recipe: backpropagate from one row to see on which inputs it depends.",
    ),
    CatalogueEntry(
        code="WF506",
        title="one row alone",
        topic="one row alone",
        meaning="A single row is not predicted as it is among other rows: the network fails, the output loses an "
        "axis, or its values differ.",
        computed="In evaluation the first row is predicted alone and in a batch of 12 rows.",
        states=States(
            fired="the network fails on one row, or the row's outputs have a different shape or differ by more than a "
            "thousandth of the standard deviation.",
            passed="the outputs agree.",
            unknown="rows are not the first axis (WF505).",
        ),
        remedy="Give every squeeze its axis (`squeeze(1)`), and do not use batch statistics in evaluation.",
        caution="A norm over a batch cannot be trained on one row. The evidence mentions this, but it is not a fault.",
        commands=(CHECK,),
        source="PyTorch's documentation: `squeeze()` without an axis also removes the batch axis if there is only one "
        "row.",
    ),
    CatalogueEntry(
        code="WF507",
        title="a small batch that cannot be fitted",
        topic="fit of a small batch",
        meaning="The network cannot fit a few rows to a loss near zero, or the given optimizer does not lower their "
        "loss.",
        computed="Up to 8 rows (fewer for small networks) are fitted without dropout by at most 250 steps of Adam "
        "with each of three learning rates. A copy of the given optimizer must lower their loss within 60 steps.",
        states=States(
            fired="the loss stays above half of that of guessing at all three rates, or the given optimizer diverges "
            "or lowers the loss by less than a thousandth.",
            passed="the loss falls to a tenth of that of guessing, or all rows are predicted correctly.",
            unknown="the loss ends between these limits, or time ran out first (after 0.8 seconds for each rate).",
        ),
        remedy="Fix the other findings first. Then check the outputs and targets that the loss compares, the learning "
        "rate, and whether values are scaled down or rounded between inputs and loss.",
        caution="A network that cannot distinguish rows by design (because it receives only a summary of them) may "
        "fire without being at fault. Rows that are equal in X are left out.",
        commands=(CHECK,),
        source="Karpathy's recipe: overfit one small batch.",
    ),
    CatalogueEntry(
        code="WF508",
        title="inputs that make no difference",
        topic="use of the inputs",
        meaning="The outputs are the same for all inputs, so the inputs are lost somewhere in the network.",
        computed="The outputs of 64 rows are compared in training and in evaluation, after constant parameters have "
        "been given random values as in WF503.",
        states=States(
            fired="the outputs differ between rows by less than a millionth of the largest one.",
            passed="the outputs differ by more than a millionth.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Follow one row through forward. Look for a softmax or a norm over an axis of length one, a variable "
        "that is overwritten, and layers of dead units (WF516).",
        caution="This check does not show whether the inputs contain information about y; training on shuffled inputs "
        "and `wellfit diagnose` do.",
        commands=(CHECK,),
        source="Karpathy's recipe: the input-independent baseline.",
    ),
    CatalogueEntry(
        code="WF509",
        title="evaluation that is not reproducible",
        topic="repeated evaluation",
        meaning="In evaluation the same rows get different outputs the second time, or buffers change. Some noise or "
        "some statistic is not switched off.",
        computed="The same 32 rows are predicted twice with different random numbers, and every buffer is compared "
        "before and after.",
        states=States(
            fired="the outputs differ by more than a hundred-thousandth of the largest one, or a buffer changes.",
            passed="outputs and buffers stay the same.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Give `self.training` to functional.dropout, use nn.Dropout, draw noise only `if self.training`, "
        "and do not call train() inside forward.",
        caution="If sampling in evaluation is wanted (Monte-Carlo dropout), add a switch for it.",
        commands=(CHECK,),
        source="Inverted dropout (Srivastava et al., 2014), which is off at test time.",
    ),
    CatalogueEntry(
        code="WF510",
        title="training without the requested dropout",
        topic="noise in training",
        meaning="Some layers ask for dropout, but it is not applied in training.",
        computed="The same 32 rows are predicted twice in training mode with different random numbers. wellfit also "
        "looks for dropout layers that are in evaluation mode when they are called, and for recurrent layers of a "
        "single layer, whose dropout would act between layers.",
        states=States(
            fired="the outputs are the same, or a dropout layer has no effect.",
            passed="the outputs differ, and every dropout layer acts.",
            unknown="no layer asks for dropout.",
        ),
        remedy="Use the value that dropout returns, do not override train(), pass `training=self.training` to "
        "functional.dropout, and put an nn.Dropout after a recurrent layer that has only one layer.",
        caution="The rates of your own layers are recognized only by their names (keep_prob, dropout, drop_rate and "
        "the like).",
        commands=(CHECK,),
        source="PyTorch's documentation: `dropout` of recurrent layers acts between layers.",
    ),
)
