"""The Axera PCIe card's runtime (AXCL) by ctypes."""
