"""What is written about the motion of a data set: subsets, means, Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmaction_kd.optical_flow.class_motion import class_means_and_stds, static_subset, statistics
from mmaction_kd.optical_flow.video_motion import MotionSettings

SUBSETS = ('dynamic', 'static')


def motion_report(
    classes: Sequence[str],
    labels: Sequence[tuple[str, tuple[int, ...]]],
    motions: Mapping[str, float],
    skipped: Mapping[str, str],
    settings: MotionSettings,
    rule: str = 'q1',
) -> dict:
    """Split the classes by their motion.

    Args:
        classes: name of each of the K classes.
        labels: of every line of the annotations the video's name and its classes.
        motions: of the videos that could be measured, pixels per frame.
        skipped: of the others the reason.
        settings: of the measurement.
        rule: for the threshold, see :func:`~mmaction_kd.optical_flow.class_motion.static_subset`.

    Returns:
        ``classes``, ``subsets`` by name, and ``motion``: all that led to them.

    Raises:
        ValueError: a class has no usable video; or the rule is no rule.
    """
    motion_of_class: list[list[float]] = [[] for _ in classes]
    for video, own in labels:
        for label in own:
            motion_of_class[label] += [motions[video]] if video in motions else []
    without = {label for label, own in enumerate(motion_of_class) if not own}
    if without:
        unusable = {v: skipped[v] for v, own in labels if without & set(own) and v in skipped}
        raise ValueError(
            'motion_report: each class must have a usable video, got none for '
            f'{[classes[label] for label in sorted(without)]} and the unusable {unusable}; fix '
            'these, or name the classes that the data set has and no other.'
        )
    means, stds = class_means_and_stds(motion_of_class)
    threshold, static = static_subset(means, rule)
    of_subset = dict(overall=np.ones_like(static), dynamic=~static, static=static)
    return dict(
        classes=list(classes),
        subsets={
            subset: [name for name, own in zip(classes, of_subset[subset], strict=True) if own]
            for subset in SUBSETS
        },
        motion=dict(
            unit=settings.unit,
            settings=settings.recorded(),
            threshold=dict(rule=rule, value=threshold),
            class_means=dict(zip(classes, means.tolist(), strict=True)),
            class_stds=dict(zip(classes, stds.tolist(), strict=True)),
            statistics={subset: statistics(means[own]) for subset, own in of_subset.items()},
            skipped=dict(sorted(skipped.items())),
            videos=dict(sorted(motions.items())),
        ),
    )


def statistics_table(report: Mapping) -> str:
    """The paper's Table 1 of a report.

    Args:
        report: see :func:`motion_report`.

    Returns:
        A table in Markdown.
    """
    motion, sizes = report['motion'], {name: len(own) for name, own in report['subsets'].items()}
    lines = [f'Class means, {motion["unit"]}', '', 'classes | number | Q1 | mean | STD | IQR']
    lines.append('--- | --- | --- | --- | --- | ---')
    for subset, row in motion['statistics'].items():
        numbers = ' | '.join(f'{row[key]:.3f}' for key in ('q1', 'mean', 'std', 'iqr'))
        lines.append(f'{subset} | {sizes.get(subset, len(report["classes"]))} | {numbers}')
    return '\n'.join(lines)
