"""Data files of the package: default settings, boards and model bundles. No code."""
