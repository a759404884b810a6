"""Driving as a person meets it: the seat with its pedals, the head-up display, the map, the divider, the verbs."""
