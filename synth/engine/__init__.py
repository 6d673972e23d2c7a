"""The engine: one fitness module, one loop for all searches, one way to save and measure.

fitness.py         scores and gradients of genomes, the one hot path
experiment.py      Experiment: the loop around a search
compatibility.py   the table of rules for which parts can be combined
state.py           the state of a running search, as checkpoints store it
observer.py        progress, steps.jsonl and checkpoints of a running search
writing.py         saving of images, with predictions measured on the saved files
verdict.py         success and confidence of an image, and the summary of a run
metric.py          base classes of metrics and figures, and the results that they are given
"""
