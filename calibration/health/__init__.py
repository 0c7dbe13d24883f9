"""Health of a calibration in use: row errors of natural images against the stored geometry."""
