"""Driving through a real CARLA server: its cameras as DATA, CONTROL to its vehicle."""
