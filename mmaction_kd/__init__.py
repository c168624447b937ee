from mmaction_kd import host_fixes  # noqa: F401  (first: it mends what the rest imports)

__version__ = '0.1.0'
