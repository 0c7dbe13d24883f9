"""What every network here is made of and trained by: layers, features, variants, checkpoints, the training loop."""
