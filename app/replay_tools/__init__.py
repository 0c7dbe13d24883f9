"""Recordings as other programs' files; what they hold, whether they are whole, and parts of them."""
