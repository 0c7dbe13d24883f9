"""Evaluation of disparity on rectified pairs."""
