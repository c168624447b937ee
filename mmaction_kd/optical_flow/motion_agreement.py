"""How far two ways to measure the motion of the same videos agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from mmaction_kd.optical_flow.class_motion import QUARTILES, class_means_and_stds, static_subset


def motion_agreement(
    motion_of_class: Sequence[Sequence[float]], reference_of_class: Sequence[Sequence[float]]
) -> dict[str, float]:
    """Compare the order of classes and of videos, and the subsets.

    No unit takes part: a way that finds half the motion everywhere agrees in full. With few classes
    the figures are coarse: two neighbours among K = 8 that change places make
    ``ρ = 1 − 6 · 2 / (K³ − K) = 0.976``.

    Args:
        motion_of_class: of each of the K > 1 classes the motion of its videos, at least one.
        reference_of_class: that of the same videos in the same order, measured in the other way.

    Returns:
        ``class_rank`` and ``video_rank``: Spearman's ρ of the class means and of the videos, in
        [-1, 1]. ``same_q1``, ``same_q2``, ``same_q3``: part of the classes that fall into the same
        subset at this threshold, a ratio in [0, 1].
    """
    means, _ = class_means_and_stds(motion_of_class)
    reference_means, _ = class_means_and_stds(reference_of_class)
    videos, reference_videos = (
        np.concatenate([np.asarray(own) for own in every])
        for every in (motion_of_class, reference_of_class)
    )
    found = dict(
        class_rank=float(stats.spearmanr(means, reference_means).statistic),
        video_rank=float(stats.spearmanr(videos, reference_videos).statistic),
    )
    for rule in QUARTILES:
        static, reference_static = (
            static_subset(each, rule)[1] for each in (means, reference_means)
        )
        found[f'same_{rule}'] = float(np.mean(static == reference_static))
    return found
