"""WF511 to WF518: gradients, decay, the start of the weights, and the scale of the inputs."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import CatalogueEntry, States
from wellfit.diagnosis.catalogue.network import CHECK

ENTRIES = (
    CatalogueEntry(
        code="WF511",
        title="wrong gradients",
        topic="gradients",
        meaning="The gradient that backward returns is not the slope of the loss. An autograd function, a hook or a "
        "detach() is wrong.",
        computed="The slope along a random direction in each parameter tensor is compared with central differences on "
        "6 rows, in float64 and with the noise held fixed, both in evaluation and in training. Steps of 1e-5, 1e-6 "
        "and 1e-7 must agree with each other, which excludes kinks.",
        states=States(
            fired="central differences and backward differ by more than a thousandth at all steps.",
            passed="no tensor has such a difference.",
            unknown="the network cannot be run in float64, or no tensor has a gradient.",
        ),
        remedy="The evidence names the tensor and the factor. Check the backward of every function that the tensor "
        "passes through, and look for a detach() on one of several paths.",
        caution="A straight-through gradient, whose difference is exactly 0, passes; a gradient that is reversed on "
        "purpose fires.",
        commands=(CHECK,),
        source="Gradient checking by central differences; `torch.autograd.gradcheck` does the same for single "
        "functions and their inputs.",
    ),
    CatalogueEntry(
        code="WF512",
        title="a penalty that has no effect or counts twice",
        topic="penalty",
        meaning="A penalty on the weights is in the loss but has no gradient, or it acts in addition to weight_decay.",
        computed="The outputs are held fixed. The gradient of the loss with respect to the weights is then that of "
        "the penalty, and doubling the weights shows whether the penalty changes the loss. A gradient parallel to the "
        "weights means L2.",
        states=States(
            fired="the loss changes but the penalty has no gradient, or a tensor has both L2 in the loss and "
            "weight_decay in the optimizer.",
            passed="no penalty is without effect, and none counts twice.",
            unknown="the loss has no penalty on the weights.",
        ),
        remedy="Take detach(), .data and item() out of the penalty. If a tensor has both L2 and weight_decay, keep "
        "one of them, for example as wf.param_groups sets it.",
        caution="L1 in the loss together with weight_decay is the elastic net, and passes.",
        commands=(CHECK,),
        source="The cost J = (1/m) sum L + lambda/(2m) ||W||^2, whose gradient is that of the loss plus lambda/m W.",
    ),
    CatalogueEntry(
        code="WF513",
        title="decay of biases, norms or embeddings",
        topic="decayed parameters",
        meaning="Weight decay also acts on biases, norms or embeddings.",
        computed="The parameters that decay (because of weight_decay in the optimizer, or because of a penalty in the "
        "loss) are compared with those that `wf.param_groups` leaves without decay.",
        states=States(
            fired="a bias, norm or embedding decays.",
            passed="only weights decay.",
            unknown="nothing decays, or no optimizer was given.",
        ),
        remedy="Build the groups with `wf.param_groups(net, l2=..., rows=...)`.",
        caution="This seldom keeps a network from learning, but it gives lambda a different meaning in each network. "
        "AdamW decays by default (.01).",
        commands=(CHECK,),
        source="The rule of GPT-2's training and of Yandex's tabular baselines.",
    ),
    CatalogueEntry(
        code="WF514",
        title="units that stay alike",
        topic="symmetry of the units",
        meaning="Units of a layer start with equal weights and get equal gradients, so the whole layer acts like a "
        "single unit.",
        computed="wellfit looks for layers whose rows of weights are equal, at the start and again after three "
        "updates. Layers whose rows become different (a last layer or a branch that starts at zero) do not count.",
        states=States(
            fired="the rows of a layer are still equal after the updates.",
            passed="no layer starts with equal rows, or the rows of all such layers become different.",
            unknown="the network cannot be run in this way.",
        ),
        remedy="Initialize the weights at random: `nn.init.kaiming_normal_` (He, sqrt(2 / inputs)) for ReLU, "
        "`nn.init.xavier_uniform_` for tanh. Zeros are right for biases.",
        caution="With zero weights and ReLU only the last bias learns, and the loss stays at log K.",
        commands=(CHECK,),
        source="Symmetry breaking; He et al. (2015), Glorot and Bengio (2010).",
    ),
    CatalogueEntry(
        code="WF515",
        title="signals that vanish or explode with depth",
        topic="signals through the layers",
        meaning="The differences between rows, or the gradients, shrink or grow by orders of magnitude from one end "
        "of the network to the other.",
        computed="For each layer, wellfit measures the standard deviation of its outputs between 64 rows and the size "
        "of the gradient with respect to these outputs, and compares the first third of the layers with the last.",
        states=States(
            fired="the gradient or the signal shrinks to less than 1/10,000, or grows by more than 1,000 times.",
            passed="both stay between these limits.",
            unknown="there are fewer than three layers.",
        ),
        remedy="Initialize the weights by He (sqrt(2 / inputs), for ReLU) or Xavier (1 / sqrt(inputs), for tanh). Add "
        "norms or residual connections. Replace sigmoid units in hidden layers.",
        caution="Queries and keys of attention have small gradients at the start, so the largest gradient among the "
        "first layers is used.",
        commands=(CHECK,),
        source="Glorot and Bengio (2010); He et al. (2015).",
    ),
    CatalogueEntry(
        code="WF516",
        title="dead or saturated units",
        topic="activity of the units",
        meaning="Most units of a layer are 0 (ReLU) or at their limit (tanh) for all rows, so no gradient passes "
        "through them.",
        computed="The units are counted at every call of relu and tanh on 64 rows.",
        states=States(
            fired="more than 90 % of a layer's units are dead or saturated.",
            passed="at most 60 % of the units of each layer are dead or saturated.",
            unknown="the highest share is between these limits, or no such activation was seen.",
        ),
        remedy="Initialize biases with 0 and weights by He or Xavier, and normalize the inputs (WF517). If units die "
        "later, during training, lower the learning rate.",
        caution="In a deep network without norms, half of the units may give the same output for all rows at the "
        "start; this does not make the finding fire.",
        commands=(CHECK,),
        source="Lu et al. (2019), Dying ReLU and Initialization.",
    ),
    CatalogueEntry(
        code="WF517",
        title="inputs that are not normalized",
        topic="scale of the inputs",
        meaning="The inputs of the first layer are far from mean 0 and standard deviation 1.",
        computed="The means and standard deviations are those of the columns (for pictures, of the channels) that "
        "reach the first layer with weights. Inputs that the network scales itself count as scaled.",
        states=States(
            fired="a mean or standard deviation is above 10, all are below .01, or columns that are exactly centred "
            "have standard deviations above 3 or below 1/3.",
            passed="none of these is the case.",
            unknown="the inputs are not real numbers.",
        ),
        remedy="Subtract the training mean and divide by the training standard deviation, not by the variance. Divide "
        "pictures by 255 first.",
        caution="A network that starts with a norm layer passes, because it normalizes its inputs itself.",
        commands=(CHECK,),
        source="LeCun et al. (1998), Efficient BackProp.",
    ),
    CatalogueEntry(
        code="WF518",
        title="dev scaled by its own statistics",
        topic="scale of dev",
        meaning="The columns of dev have means of exactly 0 and standard deviations of 1, so dev was scaled by its "
        "own statistics and not by those of train.",
        computed="The means of the dev columns are compared with their usual size after scaling by train, about 1 / "
        "sqrt(rows).",
        states=States(
            fired="every mean differs from 0 by less than 1/50 of that size, and every standard deviation is 1.",
            passed="some mean or standard deviation differs more.",
            unknown="no dev rows, or fewer than 30, were given.",
        ),
        remedy="Compute the means and standard deviations on train, and apply them to dev, test and new rows.",
        caution="If dev and train were scaled together, they look alike, and the finding does not fire.",
        commands=(CHECK,),
        source="The rule that transforms are fitted on train alone: the prediction for a row must not depend on the "
        "rows beside it.",
    ),
)
