"""Installing what a machine serves: bundles from folders, archives and URLs, verified before they are put to use."""
