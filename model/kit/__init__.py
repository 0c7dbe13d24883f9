"""What the NPU vendor's compiler needs for a graph, and what its arithmetic does to it."""
