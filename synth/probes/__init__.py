"""Probes: measurements of a network, on its own and on pictures, without a search.

The base class is `synth.probes.probe.Probe`: it reads pictures, checks layers, reads activations in
batches, saves sheets and puts the result together; a probe implements `measure`. To add one, write
a class in a file of this folder and ``conf/recipe/NAME.yaml`` that names it.

In conf/recipe:

    activations          Activations in activations.py: maps of layers, statistics of channels
    cppn_parts           CppnParts in cppn_parts.py: an evolved CPPN beside a trained one, opened
    directions           Directions in directions.py: PCA, NMF and k-means of a layer's activations
    dissection           Dissection in dissection.py: the concept that each channel detects
    dissection_compare   DissectionCompare in dissection_compare.py: of networks and checkpoints
    embedding            Embedding in embedding.py: vectors, nearest neighbours, maps of pictures
    filters              Filters in filters.py: the weights of layers, beside what they respond to
    label_landscape      LabelLandscape in label_landscape.py: labels of the images around a picture
    layers               Layers in layers.py: the layers of a network, in order
    natural_statistics   MeasureNaturalStatistics in natural_statistics.py: mean and deviation of
                         every unit over natural pictures
    occlusion            Occlusion in occlusion.py: drop of a score where a window is covered
    patches              Patches in patches.py: the pictures that each unit responds to most
    saliency             Saliency in saliency.py: pixels that a score depends on, by several methods
    saliency_evaluation  SaliencyEvaluation in saliency_evaluation.py: these methods compared
    saliency_segmentation
                         SaliencySegmentation in saliency_segmentation.py: objects cut out by their
                         saliency
    shortcut             Shortcut in shortcut.py: saliency of classes outside of the object
    unit                 Unit in unit.py: one unit on one page

What is attributed to pixels, and how, is in the folder attributions; what compares and maps vectors
of pictures, in the folder embeddings.
"""

__all__ = [
    "activations",
    "attributions",
    "cppn_parts",
    "decomposition",
    "detectors",
    "directions",
    "dissection",
    "dissection_compare",
    "embedding",
    "embeddings",
    "filters",
    "label_landscape",
    "layers",
    "natural_statistics",
    "occlusion",
    "patches",
    "probe",
    "saliency",
    "saliency_evaluation",
    "saliency_segmentation",
    "shortcut",
    "strongest",
    "unit",
]
