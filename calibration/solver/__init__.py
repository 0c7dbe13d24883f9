"""From the corners that were seen to a calibrated rig: start, least squares, outliers, uncertainty."""
