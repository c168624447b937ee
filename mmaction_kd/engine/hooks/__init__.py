"""Hooks: :mod:`mmaction_kd.engine` has them all."""
