"""The embedded town: a procedural world with traffic, drawn as labels, geometry and exact motion, or as a photo."""
