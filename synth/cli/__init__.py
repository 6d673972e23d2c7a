"""The command line: entry points, names of run folders, messages about a user's mistakes.

command.py        the console script synth
jobs.py           what it does: runs, lists, explains
listing.py        synth list
help.py           synth help
rerun.py          synth rerun
completion.py     completion in a shell
gallery.py        the console script synth-gallery
export.py         the console script synth-export
parser.py         what these two share
words.py          the words of a command line as Hydra reads them
folders.py        names of run folders and of the points of a sweep
complaints.py     one line for an exception that a user has caused
unknown_keys.py   the same for a key, part or option that does not exist
wrong_types.py    the same for a value of a type that its part does not take
streams.py        standard output and error
"""
