"""Logits of frozen teachers for V views of every training video, stored before training.

A view is a seed: with it the train pipeline makes the same clip again, bit for bit
(``view_replay``). A store is a folder with ``store.json``, which describes its content and origin
(``store_header``, ``fingerprint``), and a ``.npy`` file for each shard of the videos, with a row
per view (``teacher_store``). ``mmaction_kd.StoredTeacherViews`` trains on it. Running the
teachers to fill a store is the engine's (:mod:`mmaction_kd.engine.record_teachers`).
"""

from mmaction_kd.stored_teachers.stored_teacher_views import StoredTeacherViews

__all__ = ['StoredTeacherViews']
