"""Video4Linux cameras: the kernel's ABI, discovery, capture and pairing by time stamps."""
