"""Configuration: composing it from ``conf/``, building the objects it names, telling runs apart.

Only this folder, ``synth/cli`` and ``synth/contract`` import Hydra and OmegaConf.

    composing.py   where ``conf/`` is, and what a recipe composes to
    shorthand.py   ``steps=`` and ``size=`` under a recipe's own keys
    headers.py     what a YAML says of itself
    class_names.py the classes of a network, without torch
    networks.py    the classifiers of torchvision as options of the group ``network``
    exchange.py    without a recipe's settings of a part that the user exchanged
    sharing.py     settings that all contenders of a comparison have in common
    plugins.py     parts from outside: the user's own folders, and installed packages
    definitions.py the classes and functions that ``_target_`` names
    hints.py       type hints, in words and against plain values
    building.py    objects from a configuration
    literals.py    Python values in the grammar of the command line
    live.py        objects of a Python program in a configuration
    calls.py       commands from Python
    command.py     what a command line or a call asks for
    running.py     running it, in a folder or in memory
    process.py     settings of the process, about memory
    early.py       mistakes that are refused before torch is imported
    unread.py      keys that the user wrote and nothing reads
    identity.py    what makes two runs runs of the same configuration
    references.py  references between keys, and computed values
    recording.py   the configuration files in ``.hydra`` of a run folder
    earlier.py     what an earlier run was, in the names of this version
    types.py       types of configurations

Importing these modules, but for live, calls and running, does not import torch.
"""
