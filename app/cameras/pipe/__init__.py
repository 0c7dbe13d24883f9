"""Frames from other programs: a local socket for what happens, shared memory for the pixels (docs/pipe.md)."""
