"""What is wrong on this machine, and what helps: one file for each kind of thing that can be."""
