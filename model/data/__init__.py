"""Synthetic training data: textures, scenes, rendering, photometric changes, the loader."""
