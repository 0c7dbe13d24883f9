"""``roma-device run``: pipelines for the camera's frames, the loop, and the observers of a run."""
