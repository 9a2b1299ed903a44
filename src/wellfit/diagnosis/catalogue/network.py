"""WF501 to WF510: a network, its loss and its rows, before anything is trained."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import CatalogueEntry, Command, States

CHECK = Command(
    "wellfit check churn.csv --target churned --module net.py:make_net",
    "all checks of the network that `make_net` in net.py builds",
)

ENTRIES = (
    CatalogueEntry(
        code="WF501",
        title="loss at the start",
        topic="loss at the start",
        meaning="The first loss is far above that of guessing: outputs or targets have the wrong scale, and "
        "training begins by undoing it.",
        computed="The loss of up to 128 rows before any update, in training mode without dropout, against outputs of "
        "0 (for softmax and logistic losses: log K, log 2) or against the best constant (for squared "
        "errors: the variance of y).",
        states=States(
            fired="it is more than 1.5 above that of equal shares, or more than 4 times that of the best constant.",
            passed="it is not.",
            unknown="the loss has no minimum over constants, or refuses the outputs.",
        ),
        remedy="Scale the last layer down (its weights, or start it at zero), and standardize a real target: "
        "subtract its training mean and divide by its standard deviation.",
        caution="A network that was trained before may begin below guessing, which never fires. A sum over rows is "
        "divided by their number first.",
        commands=(CHECK,),
        source="Karpathy, A Recipe for Training Neural Networks: verify the loss at the start.",
    ),
    CatalogueEntry(
        code="WF502",
        title="outputs that do not fit the loss",
        topic="outputs and loss",
        meaning="The loss takes the outputs for something else than they are: a softmax too many, raw outputs where "
        "log-probabilities are wanted, targets out of reach, or shapes that are compared all with all.",
        computed="What a loss reads is told by what it does to made-up outputs: a softmax does not notice a "
        "constant, log-probabilities do. Sums over classes, shapes, and the bounds that outputs keep under "
        "other and larger weights are compared with it.",
        states=States(
            fired="outputs sum to 1 where logits are wanted, do not where log-probabilities are, stay within bounds "
            "that y or a small loss lies outside, are compared all with all, or are refused.",
            passed="none of it.",
            unknown="the network cannot be run so.",
        ),
        remedy="For `cross_entropy` and `binary_cross_entropy_with_logits` return plain numbers, without softmax "
        "or sigmoid; for `nll_loss` a `log_softmax`; give outputs and targets one shape; end a regression "
        "with a plain linear layer.",
        caution="Probabilities may be right for a loss of your own: then it is not recognized as one of logits, and "
        "nothing fires.",
        commands=(CHECK,),
        source="PyTorch's documentation of its losses.",
    ),
    CatalogueEntry(
        code="WF503",
        title="parameters that nothing trains",
        topic="parameters that are trained",
        meaning="Some parameters stay as they are: no gradient reaches them, the optimizer does not know them, or "
        "they are frozen at random values.",
        computed="The gradient of 64 rows, after values that are constant (gates and last layers that begin at zero) "
        "were given random ones; the optimizer's groups; and whether frozen weights are uniform within 1 / "
        "sqrt(inputs), as torch draws them.",
        states=States(
            fired="a gradient is missing or exactly 0, a trained parameter is not in the optimizer, a frozen one is "
            "in it, or a frozen one is at its random start.",
            passed="none of it.",
            unknown="the network cannot be run so.",
        ),
        remedy="Use the layer in forward, or delete it; take away detach(), no_grad() and numpy on the way; build "
        "the optimizer after the network is complete; freeze only what was trained elsewhere.",
        caution="Experts that no row of 64 reached have no gradient either. Weights frozen on purpose pass where "
        "they do not look freshly drawn.",
        commands=(CHECK,),
        source="Automatic differentiation: a parameter without a path to the loss has no gradient.",
    ),
    CatalogueEntry(
        code="WF504",
        title="layers that are one and the same",
        topic="shared layers",
        meaning="One layer stands several times in a list: its copies share their parameters, and the network is "
        "smaller than it looks.",
        computed="Repeated entries of `nn.Sequential`, `nn.ModuleList` and `nn.ModuleDict` that have parameters.",
        states=States(
            fired="a list holds a layer with parameters more than once.",
            passed="none does; parameters tied by name (an embedding and the last layer) pass and are counted.",
            unknown="the network cannot be run so.",
        ),
        remedy="Build each layer anew: `nn.ModuleList(make_layer() for _ in range(n))`, and not `[layer] * n`.",
        caution="If a layer is shared on purpose, call it in a loop: that is clearer, and this check does not fire.",
        commands=(CHECK,),
        source="Python: `[layer] * n` holds one object n times.",
    ),
    CatalogueEntry(
        code="WF505",
        title="rows that change each other",
        topic="independence of the rows",
        meaning="In evaluation the outputs of a row depend on the other rows of its batch: something works along "
        "the wrong axis.",
        computed="One of 12 rows is replaced by another, first the first and then the last; the outputs of the "
        "others must stay.",
        states=States(
            fired="others change by more than a thousandth of the outputs' standard deviation, or rows are no longer "
            "the first axis.",
            passed="they do not.",
            unknown="the network cannot be run so.",
        ),
        remedy="Look for softmax, mean, norm or reshape along axis 0, a recurrent layer without batch_first=True, "
        "and statistics of the batch in evaluation.",
        caution="Networks over a graph whose nodes are the rows mix them on purpose. Batch norm in training does "
        "too, and is not looked at.",
        commands=(CHECK,),
        source="Karpathy's recipe: backpropagate from one row to see which inputs it depends on.",
    ),
    CatalogueEntry(
        code="WF506",
        title="one row alone",
        topic="one row alone",
        meaning="One row alone is not predicted as it is among others: it fails, loses its axis, or gets other "
        "outputs.",
        computed="The first row alone and among 12, in evaluation.",
        states=States(
            fired="it fails, its outputs have another shape, or differ by more than a thousandth of the standard "
            "deviation.",
            passed="they agree.",
            unknown="rows are not the first axis (WF505).",
        ),
        remedy="Name the axis of every squeeze (`squeeze(1)`), and keep statistics of the batch out of evaluation.",
        caution="A norm over a batch cannot train on one row; the evidence says so, and it is no fault.",
        commands=(CHECK,),
        source="PyTorch: `squeeze()` without an axis takes the batch's too when it has one row.",
    ),
    CatalogueEntry(
        code="WF507",
        title="a small batch cannot be fitted",
        topic="fit of a small batch",
        meaning="The network cannot bring the loss of a few rows near zero, or the given optimizer does not move it.",
        computed="Up to 8 rows, fewer for small networks; at most 250 steps of Adam with each of three learning "
        "rates, without dropout. A copy of the given optimizer must lower their loss within 60 steps.",
        states=States(
            fired="the loss stays above half of that of guessing at all three, or the given optimizer diverges or "
            "moves it by less than a thousandth.",
            passed="it falls to a tenth, or all rows are right.",
            unknown="it ends between, or time ended first (0.8 seconds for each).",
        ),
        remedy="Mend the other findings first. Then look at what the loss compares, at values that are scaled down "
        "or rounded on the way, and at the learning rate.",
        caution="A network that must not tell rows apart (it sees a summary of them) may fail without a fault; rows "
        "alike in X are left out.",
        commands=(CHECK,),
        source="Karpathy's recipe: overfit one small batch.",
    ),
    CatalogueEntry(
        code="WF508",
        title="inputs that make no difference",
        topic="use of the inputs",
        meaning="The outputs are the same whatever the inputs: they are lost on the way.",
        computed="Outputs of 64 rows, in training and in evaluation, with constant parameters woken as for WF503.",
        states=States(
            fired="they differ between rows by less than a millionth of the largest.",
            passed="they differ more.",
            unknown="the network cannot be run so.",
        ),
        remedy="Follow one row through forward: look for a softmax or a norm over an axis of one, a variable that "
        "is overwritten, and units that are all dead (WF516).",
        caution="It says nothing about whether the inputs tell anything about y: shuffled inputs and `wellfit "
        "diagnose` do.",
        commands=(CHECK,),
        source="Karpathy's recipe: the input-independent baseline.",
    ),
    CatalogueEntry(
        code="WF509",
        title="evaluation does not repeat itself",
        topic="repeated evaluation",
        meaning="In evaluation the same rows get other outputs the second time, or buffers change: some noise or "
        "some statistic has no switch.",
        computed="The same 32 rows twice with other random numbers, and every buffer before and after.",
        states=States(
            fired="outputs differ by more than a hundred-thousandth, or a buffer changes.",
            passed="both stay.",
            unknown="the network cannot be run so.",
        ),
        remedy="Give `self.training` to functional.dropout, use nn.Dropout, draw noise only `if self.training`, "
        "and do not call train() inside forward.",
        caution="Sampling in evaluation may be wanted (Monte-Carlo dropout): then keep a switch for it.",
        commands=(CHECK,),
        source="Inverted dropout (Srivastava et al., 2014) has none at test time.",
    ),
    CatalogueEntry(
        code="WF510",
        title="training without its noise",
        topic="noise in training",
        meaning="Dropout is asked for, but training does not draw it.",
        computed="The same 32 rows twice in training with other random numbers; dropout layers that are in "
        "evaluation when they are called; recurrent layers whose dropout lies between layers that they do "
        "not have.",
        states=States(
            fired="outputs are the same, or a dropout layer is idle.",
            passed="they differ.",
            unknown="no layer asks for dropout.",
        ),
        remedy="Use what dropout returns, leave train() as it is, give `training=self.training`, and put an "
        "nn.Dropout after a recurrent layer of one layer.",
        caution="Rates of layers of your own are known by their names only (keep_prob, dropout, drop_rate and the "
        "like).",
        commands=(CHECK,),
        source="PyTorch's documentation: `dropout` of recurrent layers acts between layers.",
    ),
)
