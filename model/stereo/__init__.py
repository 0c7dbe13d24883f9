"""The stereo network: definition, loss and bundle."""
