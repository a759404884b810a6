"""Driving: an engine draws the world as maps, a translator paints them, and the driver's control goes back."""
