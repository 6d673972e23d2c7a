"""Encodings: how a genome represents an image, directly (pixels) or indirectly (a latent code).

An encoding decodes genomes [r, *shape] to images [r * images_per_genome, 3, h, w], RGB in [0, 1],
gives each row its first genome and projects any genome onto the legal ones. Any search runs on any
encoding; a gradient search needs one that is differentiable.

The base class is `synth.core.Encoding`. Its members `start`, `decode`, `project` and `at` are
required. What is lost where an optional member is left out:

    transfer         search=stages cannot transfer a genome from one size to the next
    baseline         decay and clipping of a gradient search have nothing to pull towards
    originals        no distances to a clean image, and no objective that needs one
    initial_images   no image of the start beside the result
    bind             nothing is computed from the network before the search
    fast             a search decodes as the saved images are decoded, however long that takes

To add one, write a class in one file of this folder and name it by ``_target_`` in
``conf/encoding/NAME.yaml``; the contract tests pick the YAML up. What it needs in a test stands in
the YAML's comments at the top, as in ``# test: +images=[china,flower] encoding.epsilon=0.1``.

``encoding=NAME``, by the names of the YAMLs in ``conf/encoding``:

    canvas           canvas in canvas.py: Perturbation of a named image, else Pixels
    cluster_means    ClusterMeans in cluster_means.py: spectra from the mean images of clusters
    cppn             Cppn in cppn.py: a CPPN, a network from coordinates to colours, that evolves
    cppn_weights     CppnWeights in cppn_weights.py: the weights of a CPPN of fixed topology
    dct              Dct in dct.py: low frequencies of a cosine transform
    fourier          Fourier in fourier.py: a spectrum with decorrelated colours
    generator        Generator in generator.py: latent codes of a trained generator
    maco             Maco in maco.py: the phases of a spectrum whose magnitudes are fixed
    perturbation     Perturbation in perturbation.py: adversarial changes of clean images
    pixels           Pixels in pixels.py: the image itself
    several_images   SeveralImages in several_images.py: several images of another encoding per row
    universal        Universal in universal.py: one adversarial perturbation for many images
"""

__all__ = [
    "canvas",
    "cluster_means",
    "cppn",
    "cppn_weights",
    "dct",
    "fourier",
    "generator",
    "maco",
    "perturbation",
    "pixels",
    "several_images",
    "universal",
]
