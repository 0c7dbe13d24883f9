"""The program: cameras, sinks, the loop and the command line."""
