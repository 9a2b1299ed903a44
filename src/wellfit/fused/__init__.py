"""The engines: each trains a stack of configs at once; the plain loop in tests/oracle defines the correct result.

A regularizer enters in few places: its value at each update in rates.py, its noise in batches.py, and its formula once
in kernels.py (the compiled engine) and once in torch (torch_updates.py, used by torch_mlp.py and torch_module.py).
"""
