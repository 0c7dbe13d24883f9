"""Relative pose of two cameras from point correspondences: RANSAC, robust refinement, covariance, degeneracies."""
