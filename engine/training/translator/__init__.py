"""Trains painters (vid2vid + SPADE) on clips of maps and pictures, from the embedded town or from a folder."""
