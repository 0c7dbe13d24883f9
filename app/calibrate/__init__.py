"""Camera calibration: from image files or guided at a camera, to a stored calibration with its report."""
