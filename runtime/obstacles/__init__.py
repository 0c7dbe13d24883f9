"""Obstacles: ground plane, occupancy, laser scan and the nearest obstacle ahead, from a disparity map."""
