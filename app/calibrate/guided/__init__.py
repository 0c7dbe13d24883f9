"""Guided capture: which view of the board is missing, told on screen or page."""
