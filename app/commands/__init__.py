"""Commands of the program, one file each: options in, exit codes out, no logic."""
