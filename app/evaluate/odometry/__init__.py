"""Evaluation of visual odometry on clips."""
