"""Filters of disparity maps: what is cleaned, steadied or filled before it becomes depth."""
