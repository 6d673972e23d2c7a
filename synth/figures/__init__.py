"""Figures: pictures and films of a whole run, drawn from its saved images.

The base class is `synth.engine.metric.FigureMaker`: `check` refuses a run in which there is nothing
to draw, a call saves files in the run folder and returns them with captions. To add one, write a
class in a file of this folder and ``conf/figure/NAME.yaml`` that names it; any run takes it as
``+figure@figures.NAME=NAME``.

In conf/figure:

    originals   Originals in originals.py: the pictures that the items were made from
    strip       Strip in strip.py: all images of a run side by side
    triptych    Triptych in triptych.py: clean image + perturbation = adversarial image
    walk        Walk in walk.py: a film through the genomes from each item to the next
"""

__all__ = ["originals", "strip", "triptych", "walk"]
