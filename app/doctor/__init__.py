"""Diagnosis of a machine: checks of programs, hardware and state, each with what helps."""
