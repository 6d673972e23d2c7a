"""Jobs and their run folders: results, checkpoints, progress and Ctrl-C.

job.py          Job: the base class of everything that a recipe runs
result.py       Result, Item and Figure: the content of ``result.json``
record.py       Record: the run folder
checkpoint.py   saving and resuming of searches and trainings
json_text.py    JSON without NaN
atomic.py       atomic writes of files, and the error of a full disk
lock.py         Lock: one process a run folder
progress.py     the progress bar
plots.py        plots in one style, and their PNG
interrupt.py    Ctrl-C and SIGTERM
renames.py      names of earlier versions, and what they are called now
"""
