"""Networks: the classifiers that are visualised and attacked, and the networks that draw images.

A network is a `synth.core.network.Network`, which a loader makes from a name or a weights file. Any
``nn.Module`` that maps images to logits can be one: ``synth.wrap(module)``.

To add one, write a function that returns a `Network` in one file of this folder and name it by
``_target_`` in ``conf/network/NAME.yaml``; the contract tests pick the YAML up. It takes `device`,
`precision` and `fit` and passes them on. An architecture of one's own is a file in architectures/.

``network=NAME``, by the names of the YAMLs in ``conf/network``:

    alexnet         torchvision in torchvision.py: AlexNet, ImageNet
    googlenet       torchvision in torchvision.py: GoogLeNet (Inception v1), ImageNet
    mini_alexnet    bundled in bundled.py: AlexNet for 64x64 images, trained weights in the package
    mini_resnet     bundled in bundled.py: a small ResNet for 64x64 images
    linear          bundled in bundled.py: a linear classifier on pixels, trained by the user
    micro_alexnet   bundled in bundled.py: a small AlexNet, trained by the user
    module          module in module.py: a module of your own, by network.path=my_package.nets:make
    resnet50        torchvision in torchvision.py: ResNet-50, ImageNet
    squeezenet1_1   torchvision in torchvision.py: SqueezeNet 1.1, ImageNet
    timm            timm in timm.py: any model of timm, by network.name; network=NAME is short for
                    that where torchvision has no such name
    torchvision     torchvision in torchvision.py: any classifier of torchvision, by network.name;
                    network=vgg19 is short for network=torchvision network.name=vgg19
    vgg16           torchvision in torchvision.py: VGG-16, ImageNet

Beside the loaders:

    architectures/     the bundled architectures, untrained
    weights/           the bundled weights
    class_names.py     names of classes, from a file or ImageNet's
    random_weights.py  weights=random, the sanity control
    weights_io.py      safetensors and torch state dicts, read without executing what they hold
    metadata.py        what a classifier's weights file says of classes, size and normalisation
    module.py          any nn.Module, given in Python or by a path to code
    directions.py      vectors of a layer's channels, from a file, read like channels
    reading.py         logits and activations of many images, batch by batch
    receptive_field.py the pixels that the units of each layer see
    path_similarity.py rank correlations of two pictures' activations, layer by layer
    style_layers.py    default layers: one for each resolution, and the penultimate layer
    generator.py       images from a layer's activations (Dosovitskiy & Brox 2016)
    stylizer.py        style transfer in one forward pass (Johnson et al. 2016)
"""

__all__ = [
    "architectures",
    "bundled",
    "class_names",
    "directions",
    "generator",
    "metadata",
    "module",
    "path_similarity",
    "random_weights",
    "reading",
    "receptive_field",
    "style_layers",
    "stylizer",
    "timm",
    "torchvision",
    "weights_io",
]
