"""Trajectories: TUM lines, absolute and relative errors, plots."""
