"""Studies: ablations, sensitivity, confidence intervals, the figures of the models page."""
