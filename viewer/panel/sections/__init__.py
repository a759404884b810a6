"""The panel's sections, one file each."""
