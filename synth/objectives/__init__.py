"""Objectives: what a search maximises, read from a network's activations or from the image itself.

An objective is a class of `synth.core.Objective`. It holds names (of classes, layers, pictures) and
numbers until ``bind(network)`` resolves them and returns a `synth.core.BoundObjective`. The bound
objective maps a `synth.core.Readout` (activations, images, rows) to named terms, each float32
[r, columns]: scores are per sample, higher is better, and they are never reduced over the batch.

To add one, write one Python file here and one YAML in ``conf/objective/`` that names its class. It
can then be the term of any recipe: ``+objective@objective.terms.NAME=NAME``. The contract tests
(``tests/contract/test_objective_contract.py``) find the YAML. If it cannot be built from its
defaults, because it compares with a picture for example, give what it needs in a comment line of
the YAML: ``# test: +image=china``. Code that several objectives share is in files that begin with
an underscore.

Each YAML of ``conf/objective/`` with its class and file:

    alpha_norm             AlphaNorm in priors.py: alpha norm of the image about the mean colour
    alternatives           Alternatives in alternatives.py: margins over the nearest other classes
    attack                 attack in attack.py: targeted or untargeted adversarial objective
    channel                Channel in scores.py: mean activation of a channel
    class_log_probability  ClassScore in scores.py: log probability of the target class
    class_logit            ClassScore in scores.py: logit of the target class
    class_margin           ClassScore in scores.py: logit margin of the target class
    class_probability      ClassScore in scores.py: softmax probability of the target class
    direction              Direction in scores.py: activation along a direction in a layer
    diversity              Diversity in diversity.py: dissimilarity of the images of one genome
    dream                  dream in dream.py: DeepDream, with or without a guide
    energy                 Energy in energy.py: half the mean squared activation of a layer
    every_class            EveryClass in every_class.py: scores of several classes, a column each
    every_picture          EveryPicture in every_picture.py: margins of a universal perturbation
    features               FeatureMatch in features.py: distance of features, for inversion, content
    gram                   GramMatch in gram.py: distance of Gram matrices, for style and texture
    guided                 Guided in guided.py: guided DeepDream
    l2                     L2 in priors.py: squared L2 norm of the image about the mean colour
    neuron                 Neuron in scores.py: activation of a single unit
    niches                 Niches in niches.py: class scores in a grid of behaviour descriptors
    total_variation        TotalVariation in priors.py: total variation of the image
    untargeted             Untargeted in untargeted.py: untargeted adversarial objective
    weighted               WeightedSum in core/weighted_sum.py: weighted sum of objectives

From Python also: `Each` in each.py, an objective of its own for each item, and `Function` in
function.py, any function of activations.
"""

__all__ = [
    "alternatives",
    "attack",
    "diversity",
    "dream",
    "each",
    "energy",
    "every_class",
    "every_picture",
    "features",
    "function",
    "gram",
    "guided",
    "niches",
    "priors",
    "scores",
    "untargeted",
]
