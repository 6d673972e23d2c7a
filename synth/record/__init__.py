"""What a run is and what it leaves: jobs, results, run folders, checkpoints, progress, Ctrl-C.

job.py has `Job`, the base class of all that a recipe runs; result.py `Result`, `Item` and
`Figure`, which ``result.json`` holds; record.py `Record`, the run folder; checkpoint.py the one way
to save and resume; atomic.py, progress.py and interrupt.py what long work needs.
"""
