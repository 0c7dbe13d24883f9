"""``run --intrinsics``: the relative pose of the two cameras of each pair."""
