"""Stereo visual odometry: keyframe tracking, motion by RANSAC and refinement, covariance."""
