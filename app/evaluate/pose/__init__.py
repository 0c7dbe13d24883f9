"""Evaluation of relative poses of image pairs."""
