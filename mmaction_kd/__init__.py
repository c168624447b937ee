"""Knowledge distillation for video recognition, as components of MMAction2.

Two methods. MBD: of a 3D CNN and a video transformer, the more confident one teaches the other on
each sample; at test their scores are weighted by confidence. DTKD: one teacher for static classes
and one for dynamic classes; a student learns from the responsible one.

Pathways, students and teachers are ordinary MMAction2 recognizer configs. Components are named
``mmaction_kd.X`` in configs. Importing this package applies fixes to MMAction2 and MMEngine.

Shapes, everywhere: N videos, V views (clips x crops), C channels, T frames, H W pixels,
D features, L tokens, K classes, in the host's order (N, V, C, T, H, W).
"""

from mmaction_kd import host_fixes  # noqa: F401  (first: the fixes must precede other imports)
from mmaction_kd.version import __version__

__all__ = ['__version__']
