"""Files of calibrations: atomic writes, strict YAML and its sections."""
