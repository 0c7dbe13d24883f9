"""The live page of a run: what the camera sees, its depth and how the run is doing, in a browser."""
