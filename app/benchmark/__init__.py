"""``roma-device bench``: latency of every stage."""
