"""Searches: gradient ascent, evolutionary algorithms, and adversarial attacks on genomes.

A search moves the genomes of an encoding so that the images they decode to score high. It never
prints, saves or decides when to stop; `synth.engine.experiment.Experiment` does that for all of
them. Its state is a dict of tensors whose axis 0 is the item, so that it can be written to a
checkpoint and items can leave the batch.

The base class is `synth.core.Search`. Its members `steps`, `init`, `passes` and `step` are
required. What it needs of a problem is declared by the class attributes `gradient`,
`shared_population`, `alternatives` and `staged`, which `synth.engine.compatibility` compares with
encoding and objective; `precise`, where it needs scores in float32; and `individuals`, by which
`synth.engine.memory` estimates what it keeps. A search whose state has the key ``genome`` can be
used in stages.

To add one, write a class in one file of this folder and name it by ``_target_`` in
``conf/search/NAME.yaml``; the contract tests pick the YAML up. What it needs in a test stands in
the YAML's comments at the top, as in ``# test: search.population=6``. The operators of evolutionary
searches are kinds of their own, in `synth.searches.operators`.

``search=NAME``, by the names of the YAMLs in ``conf/search``:

    cma             CmaEs in cma.py: CMA-ES with a diagonal or a full covariance
    deepfool        DeepFool in deepfool.py: minimal perturbations by linearised boundaries
    fast_gradient   FastGradient in fast_gradient.py: one step along the gradient (FGSM)
    genetic         Genetic in genetic.py: a genetic algorithm with any scheme of survival, islands
    gradient        Gradient in gradient.py: ascent by SGD, Adam, normalised, unit and sign steps
    lbfgs           LBFGS in lbfgs.py: limited-memory BFGS with a line search for each row
    map_elites      MapElites in map_elites.py: one elite for each class or niche
    map_elites_memetic  MapElitesMemetic in map_elites_memetic.py: MAP-Elites with local search
    minimal_norm    MinimalNorm in minimal_norm.py: minimal perturbations by an adaptive radius
    octaves         octaves in stages.py: a search on images of growing size
    random          Random in random.py: draws from the encoding's start, the best stays
    stages          Stages in stages.py: a search in stages of size, transform and search

``search/regularisers=NAME``, by the names of the YAMLs in ``conf/search/regularisers``:

    light           Regularisers in regularisers.py: a little decay and a light blur
    none            Regularisers in regularisers.py: all of them off
    yosinski_1      Regularisers in regularisers.py: blur, and clipping of half of the pixels
    yosinski_2      Regularisers in regularisers.py: strong decay and clipping by norm
    yosinski_3      Regularisers in regularisers.py: decay and blur
    yosinski_4      Regularisers in regularisers.py: blur and clipping by contribution
"""

__all__ = [
    "cma",
    "deepfool",
    "fast_gradient",
    "genetic",
    "gradient",
    "lbfgs",
    "map_elites",
    "map_elites_memetic",
    "minimal_norm",
    "operators",
    "random",
    "regularisers",
    "stages",
]
