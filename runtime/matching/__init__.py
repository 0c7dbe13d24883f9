"""Point correspondences: sampling of dense matches, subpixel refinement, SIFT and ORB."""
