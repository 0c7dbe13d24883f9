"""Worlds of the simulated rig: scenes, paths and rigs by name."""
