"""How good a generator or a radiance field is: fidelity, consistency, disentanglement, smoothness, distribution."""
