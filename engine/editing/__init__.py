"""Editing what is seen: strokes, optimisers and the results that a state names."""
