"""The TinyRoMa family: one graph, each variant a file in ``model/variants`` (kind ``tiny_roma``)."""
