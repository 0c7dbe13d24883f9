"""Calibration solver: initial values, bundle adjustment, outlier rejection, covariance of the solution."""
