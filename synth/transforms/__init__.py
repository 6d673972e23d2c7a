"""Transforms: random changes of the images before the network reads them, for robustness.

A transform maps images [n, 3, h, w] in [0, 1] to images [n, 3, h', w'], differentiably; its random
numbers come from the rows alone. A score that holds on average over jitter, rotations, crops or
noise depends on structure that survives them, not on exact pixel values.

The base class is `synth.core.Transform`: a `__call__`, and `stochastic = False` where nothing is
random. `synth.transforms.affine.Affine` is the base of those that are a matrix per row. To add
one, write a class in one file of this folder and name it by ``_target_`` in
``conf/transform/NAME.yaml``; the contract tests pick the YAML up. What it needs in a test stands
in the YAML's comments at the top, as in ``# test: transform.margin=4``.

``transform=NAME``, by the names of the YAMLs in ``conf/transform``:

    blur      Blur in blur.py: a Gaussian blur
    crop      Crop in crop.py: a random crop, smaller than the image
    jitter    Jitter in affine.py: a random shift by whole pixels
    noise     Noise in noise.py: Gaussian noise on every value
    none      Chain in affine.py: no transform
    nudge     Jitter in affine.py: a very small shift, against grid artefacts
    pad       Pad in crop.py: a border of grey
    robust    Chain in affine.py: jitter, scaling and rotation
    rotate    Rotate in affine.py: a random rotation
    scale     Scale in affine.py: a random magnification
    window    Window in window.py: a random box, scaled up to full size
    windows   Chain in affine.py: rotation, windows of all sizes, and noise
"""

__all__ = ["affine", "blur", "crop", "noise", "window"]
