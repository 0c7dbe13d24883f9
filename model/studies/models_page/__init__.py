"""The page docs/models.md: what its tables are measured from, and how they are written."""
