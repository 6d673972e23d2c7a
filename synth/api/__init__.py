"""The Python face: every recipe as a call, tensors in and tensors out.

`synth` itself offers these names; each is imported when it is first used.

    naming        network          a network by its name; `synth.wrap` takes any torch module
    running       run, probe       any recipe, in memory or in a run folder
    visualising   visualise        what a layer, unit, class or function of activations prefers
    attacking     attack           adversarial images of a batch
    result        Result           pictures, numbers and tensors of a run
    runs          load_runs, Runs  finished runs as one table
"""

__all__ = ["attacking", "objectives", "result", "running", "runs", "settings", "visualising"]
