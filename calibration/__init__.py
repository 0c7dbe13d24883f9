"""Cameras, rigs and rectification: the lowest layer, on numpy, OpenCV and YAML alone."""
