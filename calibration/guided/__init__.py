"""Guidance of a capture: coverage of the image by board detections, and what is missing."""
