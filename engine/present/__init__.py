"""How a finished frame reaches the window's texture: straight on the GPU where that works, through host memory else."""
