"""Variants of TinyRoMa trained and scored at one small budget, so that their differences can be read."""
