"""The engine: one fitness module, one loop for all searches, one way to save and measure.

fitness.py is the hot path from genomes to scores; experiment.py the loop around a search;
compatibility.py the table of parts that can meet; state.py what is kept of a run; observer.py who
sees it while it runs; writing.py and verdict.py what is saved and measured; metric.py the base
classes of metrics and figures.
"""
