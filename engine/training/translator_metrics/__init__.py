"""How well a translator paints: beside its teacher, through time, as a segmenter reads it, and over a long drive."""
