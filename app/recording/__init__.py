"""Recordings: pairs as the cameras gave them, to the bit, with all that is needed to process them again."""
