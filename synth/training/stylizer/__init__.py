"""Training of feed-forward style transfer networks (``recipe=train_stylizer``).

A residual network learns to paint any photograph in one style in a single forward pass (Johnson
et al. 2016); ``recipe=stylize`` applies it.

- ``train_stylizer.py``: `TrainStylizer`, the trainer that the recipe names
- ``task.py``: `StylizerTask`, the perceptual loss on random crops by Adam
- ``perceptual.py``: `PerceptualLoss`, style, content and total variation
- ``card.py``: the model card
"""

__all__ = ["card", "perceptual", "task", "train_stylizer"]
