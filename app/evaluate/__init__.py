"""``roma-device evaluate``: accuracy on data with ground truth."""
