"""The stereo networks: definition, loss and bundle, and what judges them."""
