"""WF511 to WF518: gradients, decay, the start of the weights, and the scale of the inputs."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import CatalogueEntry, States
from wellfit.diagnosis.catalogue.network import CHECK

ENTRIES = (
    CatalogueEntry(
        code="WF511",
        title="wrong gradients",
        topic="gradients",
        meaning="What backward gives is not the slope of the loss: an autograd function, a hook or a detach() is "
        "wrong.",
        computed="The slope along a random direction of each parameter tensor, against central differences of 6 rows "
        "in float64 with the noise held fast, in evaluation and in training. Steps of 1e-5, 1e-6 and 1e-7 "
        "must agree among themselves, which leaves out kinks.",
        states=States(
            fired="they disagree with backward by more than a thousandth at all steps.",
            passed="no tensor does.",
            unknown="the network cannot be run in float64, or no tensor has a gradient.",
        ),
        remedy="The evidence names the tensor and the factor: look at the backward of what it goes through, and at "
        "whatever is detached on one of two ways.",
        caution="A straight-through gradient, whose difference is exactly 0, passes; a gradient that is reversed on "
        "purpose fires.",
        commands=(CHECK,),
        source="Gradient checking by central differences; `torch.autograd.gradcheck` checks functions, by their "
        "inputs.",
    ),
    CatalogueEntry(
        code="WF512",
        title="a penalty that is lost or counted twice",
        topic="penalty",
        meaning="A penalty on the weights is in the loss but has no gradient, or acts beside weight_decay.",
        computed="The outputs are held fast: the gradient of the loss by the weights is then the penalty's, and "
        "doubling the weights changes its value. A gradient along the weights is L2.",
        states=States(
            fired="the value changes without a gradient, or a tensor has L2 in the loss and weight_decay in the "
            "optimizer.",
            passed="neither.",
            unknown="the loss has no penalty on the weights.",
        ),
        remedy="Take detach(), .data and item() out of the penalty; keep one of the two, as wf.param_groups sets it.",
        caution="L1 in the loss beside weight_decay is the elastic net, and passes.",
        commands=(CHECK,),
        source="J = (1/m) sum L + lambda/(2m) ||W||^2, whose gradient is that of the loss plus lambda/m W.",
    ),
    CatalogueEntry(
        code="WF513",
        title="decay of biases, norms or embeddings",
        topic="decayed parameters",
        meaning="Decay also acts on parameters that are no weights: biases, norms and embeddings.",
        computed="Groups of the optimizer with weight_decay, and the gradient of a penalty in the loss, against the "
        "list that `wf.param_groups` spares.",
        states=States(
            fired="one of them decays.",
            passed="only weights decay.",
            unknown="nothing decays, or no optimizer was given.",
        ),
        remedy="Build the groups with `wf.param_groups(net, l2=..., rows=...)`.",
        caution="It seldom keeps a network from learning; it makes lambda mean another thing in each network. AdamW "
        "decays by default (.01).",
        commands=(CHECK,),
        source="The rule of GPT-2's training and of Yandex's tabular baselines.",
    ),
    CatalogueEntry(
        code="WF514",
        title="units that stay alike",
        topic="symmetry of the units",
        meaning="Units of a layer begin equal and get equal gradients: the layer stays as wide as one unit.",
        computed="Layers whose rows of weights are equal, again after three updates; those that part (a last layer "
        "or a branch that begins at zero) do not count.",
        states=States(
            fired="they are still equal.",
            passed="none begins equal, or all part.",
            unknown="the network cannot be run so.",
        ),
        remedy="Draw the weights at random: `nn.init.kaiming_normal_` (He, sqrt(2 / inputs)) for ReLU, "
        "`nn.init.xavier_uniform_` for tanh. Zeros are right for biases.",
        caution="With zeros and ReLU nothing but the last bias learns, and the loss stays at log K.",
        commands=(CHECK,),
        source="Symmetry breaking; He et al. (2015), Glorot and Bengio (2010).",
    ),
    CatalogueEntry(
        code="WF515",
        title="signals that vanish or explode with depth",
        topic="signals through the depth",
        meaning="What tells rows apart, or the gradient, shrinks or grows by orders of magnitude from one end of "
        "the network to the other.",
        computed="Standard deviation between 64 rows of what each layer gives, and the size of the gradient by it; "
        "the first third of the layers against the last.",
        states=States(
            fired="the gradient or the signal ends below 1/10,000 or above 1,000 times.",
            passed="both stay between.",
            unknown="there are fewer than three layers.",
        ),
        remedy="Start the weights by He (sqrt(2 / inputs), ReLU) or Xavier (1 / sqrt(inputs), tanh); add norms or "
        "residual connections; replace sigmoid units inside.",
        caution="Queries and keys of attention have small gradients at the start: the largest of the first layers "
        "is taken.",
        commands=(CHECK,),
        source="Glorot and Bengio (2010); He et al. (2015).",
    ),
    CatalogueEntry(
        code="WF516",
        title="dead or saturated units",
        topic="activity of the units",
        meaning="Most units of a layer are 0 (ReLU) or at their limit (tanh) for all rows: no gradient passes them.",
        computed="Every call of relu and tanh on 64 rows.",
        states=States(
            fired="more than 90 % of a layer's units are.",
            passed="at most 60 % are.",
            unknown="it is between, or no such activation was seen.",
        ),
        remedy="Start biases at 0 and weights by He or Xavier, and normalize the inputs (WF517); lower the "
        "learning rate if it happens later.",
        caution="Half the units of a deep network with unnormalized layers may say the same for all rows at the "
        "start; that does not fire.",
        commands=(CHECK,),
        source="Lu et al. (2019), Dying ReLU and Initialization.",
    ),
    CatalogueEntry(
        code="WF517",
        title="inputs that are not normalized",
        topic="scale of the inputs",
        meaning="What the first layer gets is far from mean 0 and standard deviation 1.",
        computed="Means and standard deviations of the columns (of pictures: the channels) that reach the first "
        "layer with weights; what the network scales itself counts as scaled.",
        states=States(
            fired="a mean or standard deviation is above 10, all are below .01, or columns that are centred exactly "
            "have standard deviations more than 3 times from 1.",
            passed="none of it.",
            unknown="the inputs are no real numbers.",
        ),
        remedy="Subtract the training mean and divide by the training standard deviation, not by the variance; "
        "pictures: divide by 255 first.",
        caution="A first norm layer passes: it normalizes by itself.",
        commands=(CHECK,),
        source="LeCun et al. (1998), Efficient BackProp.",
    ),
    CatalogueEntry(
        code="WF518",
        title="dev scaled by its own statistics",
        topic="scale of dev",
        meaning="Dev has means of exactly 0 and standard deviations of 1: it was scaled by its own, and not by "
        "train's.",
        computed="Means of the dev columns against what chance leaves after scaling by train: about 1 / sqrt(rows).",
        states=States(
            fired="every mean is within 1/50 of that amount of 0, and every standard deviation is 1.",
            passed="they are not.",
            unknown="no dev rows were given, or fewer than 30.",
        ),
        remedy="Fit means and standard deviations on train, and apply them to dev, test and new rows.",
        caution="Dev and train that were scaled together look alike and do not fire.",
        commands=(CHECK,),
        source="Fit on train only: a row's prediction must not depend on the rows beside it.",
    ),
)
