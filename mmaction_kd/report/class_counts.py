"""Sums over the samples of each class, kept on the device until an epoch ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import all_gather_object, all_reduce
from torch import Tensor

from mmaction_kd.observations import Observation

WEIGHT_BINS = 20  # of the histogram over [0, 1]


class ObservationSums:
    """For each class the number of samples, and the sum of each observed value.

    Nothing waits for the device before :meth:`reduced`.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.names: dict[str, tuple[str, ...]] = {}

    def add(self, observations: Mapping[str, Observation]) -> None:
        """Count a batch.

        Args:
            observations: by source.
        """
        for source, (num_classes, targets, values) in observations.items():
            names = tuple(values)
            if source not in self.sums:
                self.names[source] = names
                self.sums[source] = torch.zeros(
                    num_classes, 1 + len(names), dtype=torch.float64, device=targets.device
                )
            columns = [torch.ones_like(targets), *values.values()]
            rows = torch.stack([column.double() for column in columns], 1)  # (N, 1 + values)
            self.sums[source].index_add_(0, targets, rows)

    def reduced(self) -> dict[str, dict]:
        """Sum over all ranks; every rank must call this.

        Returns:
            By source: ``count`` (K,), and ``sums``, by name of the value (K,), as lists.
        """
        names = _union(self.names)
        sums = _all_ranks(self.sums)
        return {
            source: dict(
                count=[int(n) for n in table[:, 0]],
                sums={
                    name: [round(x, 4) for x in table[:, 1 + i].tolist()]
                    for i, name in enumerate(names[source])
                },
            )
            for source, table in sums.items()
        }


class PredictionCounts:
    """Of the predictions for a data set: what was taken for what, and the weights in it.

    A data sample holds ``gt_label`` and ``pred_label``; counted are also fields ``h_weight`` (a
    number in [0, 1], as MBDRecognizer writes for each pathway h) and ``h_score`` (scores (K,), as
    a pathway's or, with ``predict_teachers``, a teacher's).

    Args:
        size: how many videos the data set has. A sampler that fills up the last batch repeats some
            on the last ranks, which are not counted, as MMEngine's metrics do not.
        rank: this process, which sees the videos rank, rank + world_size, ...
        world_size: number of processes.
    """

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        self.left = max(0, -((rank - size) // world_size))  # ceil((size − rank) / world_size)
        self.counts: dict[str, Tensor] = {}

    def add(self, samples: Sequence[ActionDataSample]) -> None:
        """Count a batch.

        Args:
            samples: predictions; those of another kind of task are left alone.
        """
        taken, self.left = samples[: self.left], max(0, self.left - len(samples))
        usable = [s for s in taken if _holds(s, 'pred_score', 1) and _holds(s, 'pred_label', 1)]
        if not usable or not _holds(usable[0], 'gt_label', 1):
            return
        first = usable[0]
        num_classes, device = len(first.pred_score), first.pred_score.device
        labels = _class_indices([s.gt_label for s in usable]).to(device)
        preds = _class_indices([s.pred_label for s in usable]).to(device)
        # A label that is no class of the head gets a cell of its own, which nobody reads.
        known = (labels >= 0) & (labels < num_classes)
        cells = torch.where(known, labels * num_classes + preds, num_classes**2)
        self._add('confusion', num_classes**2 + 1, cells, torch.ones_like(cells))
        rows = torch.where(known, labels, num_classes)
        for field in sorted(first.keys()):
            name, _, kind = field.rpartition('_')
            if kind == 'weight' and _holds(first, field, 0):
                weights = torch.stack([s.get(field) for s in usable]).to(device)
                self._add(f'weight/{name}', num_classes + 1, rows, weights)
                bins = (weights * WEIGHT_BINS).long().clamp(0, WEIGHT_BINS - 1)
                self._add(f'weight_bins/{name}', WEIGHT_BINS, bins, known)
            elif kind == 'score' and name != 'pred' and all(_holds(s, field, 1) for s in usable):
                scores = torch.stack([s.get(field) for s in usable]).to(device)
                if scores.shape[1] == num_classes:
                    self._add(f'hits/{name}', num_classes + 1, rows, scores.argmax(1) == labels)
                    self._add(f'scored/{name}', 1, torch.zeros_like(rows), known)

    def reduced(self) -> dict:
        """Count over all ranks; every rank must call this.

        Returns:
            Empty where nothing was counted; else ``num_classes``; ``count`` and ``hits``, videos of
            each class and those that are right, (K,); ``wrong``, rows (label, predicted, videos);
            ``weights``, for each h its mean by class (K,), None without videos, and ``bins``;
            ``hits_of``, for each h that scored every video (none is spared it by a gate), as
            ``hits``.
        """
        counts = _all_ranks(self.counts)
        if 'confusion' not in counts:
            return {}
        cells = counts['confusion'][:-1]
        num_classes = round(len(cells) ** 0.5)
        confusion = cells.reshape(num_classes, num_classes).long()  # label, predicted
        count, hits = confusion.sum(1), confusion.diagonal()
        off = confusion - torch.diag(hits)
        places = off.nonzero()
        wrong = torch.cat([places, off[places[:, 0], places[:, 1]][:, None]], 1)
        found = dict(
            num_classes=num_classes,
            count=count.tolist(),
            hits=hits.tolist(),
            wrong=wrong.tolist(),
            weights={},
            hits_of={},
        )
        for key, table in counts.items():
            kind, _, name = key.partition('/')
            if kind == 'weight':
                means = (table[:-1] / count).tolist()
                found['weights'][name] = dict(
                    mean=[round(m, 5) if n else None for m, n in zip(means, count, strict=True)],
                    bins=counts[f'weight_bins/{name}'].long().tolist(),
                )
            elif kind == 'hits' and counts[f'scored/{name}'] == count.sum():
                found['hits_of'][name] = table[:-1].long().tolist()
        return found

    def _add(self, key: str, size: int, places: Tensor, values: Tensor) -> None:
        if key not in self.counts:
            self.counts[key] = torch.zeros(size, dtype=torch.float64, device=places.device)
        self.counts[key].index_add_(0, places, values.double())


def _all_ranks(tables: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sum over the ranks, on the CPU; a rank without a table, as it had no batch, counts as 0."""
    shapes = _union({key: tuple(table.shape) for key, table in tables.items()})
    found = {}
    for key, shape in shapes.items():
        table = tables[key] if key in tables else torch.zeros(shape, dtype=torch.float64)
        total = table.clone()
        all_reduce(total)
        found[key] = total.cpu()
    return found


def _union(mine: dict) -> dict:
    """The entries of all ranks, in the same order on each."""
    return dict(
        sorted({k: v for theirs in all_gather_object(mine) for k, v in theirs.items()}.items())
    )


def _holds(sample: ActionDataSample, field: str, dim: int) -> bool:
    value = sample.get(field)
    return isinstance(value, Tensor) and value.dim() == dim


def _class_indices(labels: Sequence[Tensor]) -> Tensor:
    return torch.stack([y[0] if y.numel() == 1 else y.argmax() for y in labels])
