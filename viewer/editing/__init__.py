"""Editing in the window: brushes and their strokes, the photo beside the picture, sessions."""
