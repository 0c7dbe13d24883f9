"""Simulation of a stereo rig: scenes, light, and a ray caster that draws both views with their ground truth."""
