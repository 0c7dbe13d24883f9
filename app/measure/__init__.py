"""``roma-device measure``: depth quality of a still scene, without ground truth."""
