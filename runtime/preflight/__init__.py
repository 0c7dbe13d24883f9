"""Preflight of a graph before the NPU's compiler: rules, cost and estimated latency."""
