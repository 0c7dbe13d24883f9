"""The commands of the command line, one file for each group: options in, exit codes out."""
