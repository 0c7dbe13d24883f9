"""Our own two-view network: a global match at 1/16, then windows at 1/16, 1/8 and 1/4 (kind ``cascade``)."""
