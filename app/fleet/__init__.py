"""A view of many boards over their health endpoints: who is well, and which versions they serve with."""
