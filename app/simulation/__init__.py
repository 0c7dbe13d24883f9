"""A virtual stereo rig: scenes, light, and a ray caster that draws both views with their truth."""
