"""What frozen teachers say of V views of every training video, kept so that none runs in training.

A view is a seed: with it the train pipeline makes the same clip again, bit for bit
(``view_replay``). A store is a folder with ``store.json``, which says what it holds and was made
of (``store_header``, ``fingerprint``), and a ``.npy`` file for each teacher and shard
(``teacher_store``) with a row for each view (``logit_rows``). ``recording`` makes one, see
``tools/store_teachers.py``; ``mmaction_kd.StoredTeacherViews`` trains on it.
"""
