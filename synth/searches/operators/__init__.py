"""Evolutionary operators: parent selection, crossover, mutation and survivor selection.

The base classes are `Selection`, `Crossover`, `Mutation` and `Survival` of `synth.core`, which
document the shapes. A call serves the populations of all items at once and draws its random numbers
from `rows`. What a search reads of an operator is declared on its base class, with a default:
whether a crossover crosses at all, whether a mutation is self-adaptive, whether a scheme of
survival is elitist.

To add one, write a class in one file of this folder and name it by ``_target_`` in
``conf/search/KIND/NAME.yaml``, KIND being select, mate, mutate or survive; the contract tests pick
the YAML up. What it needs in a test stands in the YAML's comments at the top, as in
``# test: search.mutate.sigma=0.5``.

``search/select=NAME``, by the names of the YAMLs in ``conf/search/select``:

    best               Best in selection.py: the fittest, without chance
    rank               Rank in selection.py: linear ranking
    roulette           Roulette in selection.py: in proportion to fitness
    stock              StockSelection in stock.py: any selection of deap.tools
    tournament         Tournament in selection.py: the fittest of a few drawn at random

``search/mate=NAME``, by the names of the YAMLs in ``conf/search/mate``:

    none               NoCrossover in crossover.py: offspring are copies of their parents
    one_point          OnePoint in crossover.py: one-point crossover
    rectangle          Rectangle in crossover.py: block crossover of images
    simulated_binary   SimulatedBinary in simulated_binary.py: SBX of real genomes
    stock              StockCrossover in stock.py: any crossover of deap.tools
    suited             SuitedCrossover in suited.py: the one that suits the encoding
    two_point          TwoPoint in crossover.py: two-point crossover
    uniform            UniformCrossover in crossover.py: uniform crossover

``search/mutate=NAME``, by the names of the YAMLs in ``conf/search/mutate``:

    bit_flip           BitFlip in mutation.py: genes change from 0 to 1 or from 1 to 0
    gaussian           GaussianMutation in mutation.py: normal noise on some genes
    mixture            Mixture in combined_mutation.py: one of several mutations, at random
    patch              Patch in regional_mutation.py: a rectangle of one colour is added
    polynomial         Polynomial in mutation.py: bounded steps of some genes
    regional           SelfAdaptive in combined_mutation.py: smooth noise or patches, self-adaptive
    self_adaptive      SelfAdaptive in combined_mutation.py: a mutation whose strength evolves
    smooth             Smooth in regional_mutation.py: low-frequency noise in a window
    stock              StockMutation in stock.py: any mutation of deap.tools
    suited             SuitedMutation in suited.py: the one that suits the encoding
    topology           TopologyMutation in topology.py: connections, nodes and weights of graphs

``search/survive=NAME``, by the names of the YAMLs in ``conf/search/survive``:

    comma              MuCommaLambda in survival.py: (mu, lambda)
    generational       Generational in survival.py: generational replacement with elitism
    plus               MuPlusLambda in survival.py: (mu + lambda)
    steady_state       SteadyState in survival.py: a few offspring replace the worst
"""

__all__ = [
    "combined_mutation",
    "crossover",
    "mutation",
    "regional_mutation",
    "selection",
    "simulated_binary",
    "stock",
    "suited",
    "survival",
    "topology",
]
