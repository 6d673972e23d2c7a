"""Jobs beside experiments, probes and trainings: comparisons, films, stylizing, rendering.

The base class is `synth.record.job.Job`: a constructor that checks everything, and
``run(record) -> Result``. To add one, write a class in a file of this folder and
``conf/recipe/NAME.yaml`` that names it.

In conf/recipe:

    deepdream_film       DeepDreamFilm in deepdream_film.py: zooming into a dream, frame by frame
    duel                 Duel in duel.py: searches at several budgets, with intervals
    fooling_comparison   Comparison in comparison.py: several experiments at equal budgets
    memorization         Memorization in memorization.py: trainings on true and meaningless data
    onemax               OneMax in onemax.py: a genetic algorithm on bit strings, step by step
    render               Render in render.py: the images of an earlier run at another size
    stylize              Stylize in stylize.py: a trained stylizer on pictures, folders, films
    texture_nearest      TextureNearest in texture_nearest.py: texture synthesis without a network
"""

__all__ = [
    "comparison",
    "deepdream_film",
    "duel",
    "memorization",
    "onemax",
    "render",
    "stylize",
    "texture_nearest",
]
