"""What a solved rig is worth: errors in pixels, and what they mean in centimetres."""
