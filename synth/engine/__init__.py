"""The engine: one fitness module, one loop for all searches, one way to save and measure.

fitness.py         scores and gradients of genomes, the one hot path
experiment.py      Experiment: the loop around a search
search_result.py   SearchResult: what a search gives in memory
compatibility.py   the table of rules for which parts can be combined
memory.py          whether a run fits the device's memory, before it begins
state.py           the state of a running search, as checkpoints store it
observer.py        progress, steps.jsonl and checkpoints of a running search
writing.py         saving of images, with predictions measured on the saved files
verdict.py         success and confidence of an image, and the summary of a run
metric.py          base classes of metrics and figures, and the results that they are given
"""
