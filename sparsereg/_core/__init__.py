"""The binding to the C kernels of `src_c/`: `kernels` for arrays and matrices, `strings` for text."""
