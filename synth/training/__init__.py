"""Trainings: networks learned from pictures, left with weights, learning curves and a model card.

A training has two parts:

- a `Task` (`synth.training.task`): models, optimisers, losses and data, and one optimiser step;
- a `Trainer` (`synth.training.trainer`): the `Job` that a recipe names. Its constructor checks
  every number; `run` reads the pictures, trains the task, writes the weights and measures what was
  written.

`Loop` (`synth.training.loop`) trains any task by a `Plan`: epochs, order, learning rates,
checkpoints, curves, early stopping. A training that was killed resumes bit-equal.

To add one: a folder here with the task, the trainer and the model card, and a recipe
``conf/recipe/train_NAME.yaml`` whose ``_target_`` is the trainer.

``recipe=NAME``:

    train_classifier   TrainClassifier in classifier/train_classifier.py
    train_generator    TrainGenerator in generator/train_generator.py
    train_stylizer     TrainStylizer in stylizer/train_stylizer.py

``+training@architecture=NAME``, by the names of the YAMLs in ``conf/training``: architectures that
``recipe=train_classifier`` takes as an object, with arguments of its own:

    linear             linear in synth/networks/architectures/linear.py
    micro_alexnet      micro_alexnet in synth/networks/architectures/micro_alexnet.py
    mini_alexnet       mini_alexnet in synth/networks/architectures/mini_alexnet.py
    mini_resnet        mini_resnet in synth/networks/architectures/mini_resnet.py
"""

__all__ = [
    "classifier",
    "curves",
    "generator",
    "loop",
    "plan",
    "samples",
    "schedule",
    "settings",
    "state",
    "stylizer",
    "task",
    "trainer",
]
