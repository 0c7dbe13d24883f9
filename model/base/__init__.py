"""Base of every network here: layers, features, variants, checkpoints, optimizer, training loop, ONNX export."""
