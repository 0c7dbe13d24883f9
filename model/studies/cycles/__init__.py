"""Pairs rendered by another renderer than ours: Blender's Cycles, for judging alone."""
