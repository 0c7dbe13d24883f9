"""Models of several graphs: what the host does between them, and the order in which all that runs."""
