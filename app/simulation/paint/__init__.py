"""Appearance of simulated surfaces: textures, light, shadows and sensor noise."""
