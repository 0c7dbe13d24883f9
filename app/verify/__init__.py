"""``roma-device verify`` and ``model check``: an engine against its reference, a graph against the compiler."""
