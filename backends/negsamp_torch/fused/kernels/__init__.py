"""The Triton kernels. Shapes and laws are documented where they are launched, one level up."""
