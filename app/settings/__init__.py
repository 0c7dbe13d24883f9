"""Settings: the schema of the settings file, and how it is read."""
