"""Training of image generators that invert a layer's features (``recipe=train_generator``).

An up-convolutional network learns to reconstruct pictures from the activations of one layer of a
fixed network (Dosovitskiy & Brox 2016); it is the prior of ``recipe=generator_ascent``.

- ``train_generator.py``: `TrainGenerator`, the trainer that the recipe names
- ``task.py``: `GeneratorTask`, pixel, feature and adversarial loss by Adam
- ``discriminator.py``: `Discriminator`, spectrally normalised, conditioned on the code
- ``card.py``: the model card
"""

__all__ = ["card", "discriminator", "task", "train_generator"]
