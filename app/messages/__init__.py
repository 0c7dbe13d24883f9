"""Messages: results in the terms of ROS 2, as plain dataclasses that every way out of the process shares."""
