"""Training of image classifiers from pictures in class folders (``recipe=train_classifier``).

- ``train_classifier.py``: `TrainClassifier`, the trainer that the recipe names
- ``task.py``: `ClassifierTask`, cross-entropy by SGD with Nesterov momentum
- ``metrics.py``: accuracy, cross-entropy, calibration error
- ``corruption.py``: random labels, shuffled and random pixels, noise in place of pictures
- ``critical_samples.py``: images near a picture that get another label (LASS)
- ``architecture.py``: builders of architectures, and starting weights (fine-tuning)
- ``class_names.py``: names, synsets and ImageNet indices of the class folders
- ``weights.py``: the weights file and its description
- ``card.py``: the model card
"""

__all__ = [
    "architecture",
    "card",
    "class_names",
    "corruption",
    "critical_samples",
    "metrics",
    "task",
    "train_classifier",
    "weights",
]
