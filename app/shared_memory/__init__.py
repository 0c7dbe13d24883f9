"""Finished results in shared memory: one program computes, many read, whatever language they are written in."""
