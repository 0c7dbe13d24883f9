"""Inference engines: one file per backend; each is imported when it is chosen, never before."""
