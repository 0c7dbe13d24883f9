"""Run folders: one folder holds the results of one run, and ``run.json`` says which and what became of it."""
