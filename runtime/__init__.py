"""Frames in, geometry out: model cards, engines, preprocessing, decoding and depth."""
