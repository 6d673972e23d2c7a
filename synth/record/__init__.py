"""Jobs and their run folders: results, checkpoints, progress and Ctrl-C.

job.py          Job: the base class of everything that a recipe runs
result.py       Result, Item and Figure: the content of ``result.json``
record.py       Record: the run folder
checkpoint.py   saving and resuming of searches and trainings
atomic.py       atomic writes of files, and the error of a full disk
progress.py     the progress bar
interrupt.py    Ctrl-C
renames.py      names of earlier versions, and what they are called now
"""
