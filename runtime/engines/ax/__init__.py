"""The Axera board's runtime (libax_engine) by ctypes."""
