"""How one camera stands to another, from points that both see."""
