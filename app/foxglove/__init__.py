"""Foxglove: results on typed channels, the same ones in an MCAP file and live."""
