"""Attribution methods: which pixels of a picture a score of the network depends on.

The base class is `synth.probes.attributions.attribution.Attribution`: images and neurons in, values
of the pixels out. `methods` has them by name, `score` what they explain.

    gradients    Vanilla, GradientTimesInput, SmoothGrad, IntegratedGradients
    guided       GuidedBackprop: positive gradients alone through each activation function
    grad_cam     GradCam, GuidedGradCam: the maps of a deep layer, weighted by the gradient
    rise         Rise: random masks, without a gradient
    random_map   RandomMap: the floor that a method has to beat

    explained    the base class of what a pass keeps of each picture that is explained
    fills        what takes the place of covered pixels
    colours      attributions as pictures
    graph_cut    objects cut out by their saliency
    outlines     outlines of masks on images
"""

__all__ = [
    "attribution",
    "colours",
    "explained",
    "fills",
    "grad_cam",
    "gradients",
    "graph_cut",
    "guided",
    "methods",
    "outlines",
    "random_map",
    "rise",
    "score",
]
