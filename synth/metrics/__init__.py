"""Metrics: numbers measured on a finished search and its saved images.

The base class is `synth.engine.metric.Metric`: `check` refuses a run in which there is nothing to
measure, a call returns findings by name and may add to each item. To add one, write a class in a
file of this folder and ``conf/metric/NAME.yaml`` that names it; any run takes it as
``+metric@metrics.NAME=NAME``.

In conf/metric:

    critical_samples   CriticalSamples in critical_samples.py: the critical sample ratio
    distances          Distances in distances.py: median L2 and L-infinity norms of the successes
    feature_error      TermError in term_error.py: the error of feature inversion
    fooling_rate       FoolingRate in fooling_rate.py: of a universal perturbation
    recognition        Recognition in recognition.py: inverted images matched to their pictures
    style_error        TermError in term_error.py: the error of a style or texture
    transfer           Transfer in transfer.py: what a second network says

naturalness.py has the distance from natural pictures, which comparisons and the probe
natural_statistics use; intervals.py has the intervals of rates and medians.
"""

__all__ = [
    "critical_samples",
    "distances",
    "fooling_rate",
    "intervals",
    "naturalness",
    "recognition",
    "term_error",
    "transfer",
]
