"""CUDA C++ kernels: each `.cu` beside the Python that packs its arguments and launches it."""
