"""Training and export (torch). Never packaged: run as ``python -m model.train`` from the repository."""
