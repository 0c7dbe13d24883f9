"""The stereo matcher: its second stage, what it is given, what it learns from and what judges it."""
