"""Quality of a calibration: reprojection and epipolar errors in pixels, and what they mean in centimetres."""
