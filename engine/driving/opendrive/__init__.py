"""OpenDRIVE maps as towns to drive in, where the `carla` package can read them."""
