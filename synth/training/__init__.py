"""Pictures and an untrained network go in; weights, curves and a model card come out. One loop serves all."""
