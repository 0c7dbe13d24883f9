"""Tensors in and out of a network: preprocessing, layout of inputs, decoding of outputs."""
