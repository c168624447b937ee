r"""Ways of fusing the scores of two pathways, on one trained MBD model (the paper's Fig. 6).

    tools/dist_test.sh CONFIG CHECKPOINT 8 --dump train.pkl --cfg-options \
        test_dataloader.dataset.ann_file=TRAIN_LIST
    tools/dist_test.sh CONFIG CHECKPOINT 8 --dump test.pkl
    python tools/analysis_tools/fuse_scores.py train.pkl test.pkl --out fused.json

What is fitted or chosen, is so on the training scores alone:

- local, global: one pathway; model: the output of the model's own fusion head
- average, max, adaptive (MBD, equations 14-15): AdaptiveFusionHead, nothing is fitted
- weighted: fixed weights, the most accurate of 21 (of equals the one of the highest likelihood)
- concat: logistic regression on both scores; bilinear: on every product of one of the local with
  one of the global scores (K² of them: for some hundred classes leave it out)
- svm_linear, svm_rbf: support vector machines on both scores

Inputs of the fitted ones are standardised. The same inputs give the same figures. Scores of a
model on the videos that it was trained on are more confident than on
others: a held-out list is better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.evaluation.dumped_scores import DumpedScores, load_scores
from mmaction_kd.evaluation.subset_acc_metric import class_accuracies
from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads import AdaptiveFusionHead
from mmaction_kd.utils.atomic_file import write_atomically

try:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
except ModuleNotFoundError as error:
    sys.exit(f"fuse_scores: needs {error.name}; pip install 'mmaction_kd[study]'.")

MAX_PRODUCTS = 2**29  # 4 GiB in float64


def fuse(scores: dict[str, np.ndarray], **settings) -> np.ndarray:
    """Compute the scores of AdaptiveFusionHead.

    Args:
        scores: of each pathway, (N, K), rows sum to 1.
        settings: of the head.

    Returns:
        (N, K).
    """
    probs = {name: torch.from_numpy(scores[name]) for name in PATHWAYS}
    return AdaptiveFusionHead(scores['local'].shape[1], **settings)(probs).score.numpy()


def choose_weights(train: DumpedScores) -> tuple[float, float]:
    """Find the fixed weights (local, global) with the highest accuracy.

    Args:
        train: scores to choose on.

    Returns:
        Two weights, of 0, 0.05, ..., 1. Of equally accurate ones those under which the true classes
        are likeliest, of these the most even ones.
    """
    rows = np.arange(len(train.labels))

    def goodness(weights: tuple[float, float]) -> tuple[float, ...]:
        fused = fuse(train.scores, weights=weights)
        likelihood = np.log(fused[rows, train.labels].clip(1e-12)).mean()
        right = (fused.argmax(1) == train.labels).mean()
        return float(right), round(float(likelihood), 9), -abs(weights[0] - 0.5)

    return max(((step / 20, 1 - step / 20) for step in range(21)), key=goodness)


def concatenated(scores: dict[str, np.ndarray]) -> np.ndarray:
    """Both scores, (N, K) each -> (N, 2 K)."""
    return np.concatenate([scores[name] for name in PATHWAYS], 1)


def products(scores: dict[str, np.ndarray]) -> np.ndarray:
    """Outer product of both scores, (N, K) each -> (N, K²).

    Raises:
        ValueError: it would not fit into memory.
    """
    local, global_ = (scores[name] for name in PATHWAYS)
    if local.size * global_.shape[1] > MAX_PRODUCTS:
        raise ValueError(
            f'fuse_scores: bilinear must have at most {MAX_PRODUCTS} products (videos x classes²), '
            f'got {len(local)} x {local.shape[1]}²; leave it out by --strategies.'
        )
    return (local[:, :, None] * global_[:, None, :]).reshape(len(local), -1)


def fitted(classifier: Callable, inputs: Callable, **settings) -> Callable:
    """A strategy that fits a classifier to the training scores.

    Args:
        classifier: a class of scikit-learn.
        inputs: makes its input of the scores.
        settings: of the classifier.

    Returns:
        A function (train, test) -> predicted classes (N,).
    """

    def predict(train: DumpedScores, test: DumpedScores) -> np.ndarray:
        model = make_pipeline(StandardScaler(), classifier(**settings))
        return model.fit(inputs(train.scores), train.labels).predict(inputs(test.scores))

    return predict


def scored(score: Callable[[DumpedScores, DumpedScores], np.ndarray]) -> Callable:
    """A strategy that gives scores: the largest is predicted."""
    return lambda train, test: score(train, test).argmax(1)


STRATEGIES: dict[str, Callable[[DumpedScores, DumpedScores], np.ndarray]] = {
    'local': scored(lambda train, test: test.scores['local']),
    'global': scored(lambda train, test: test.scores['global']),
    'model': scored(lambda train, test: test.scores['pred']),
    'average': scored(lambda train, test: fuse(test.scores, weights='average')),
    'weighted': scored(lambda train, test: fuse(test.scores, weights=choose_weights(train))),
    'max': scored(lambda train, test: fuse(test.scores, weights='average', combine='max')),
    'adaptive': scored(lambda train, test: fuse(test.scores)),
    'concat': fitted(LogisticRegression, concatenated, max_iter=2000),
    'bilinear': fitted(LogisticRegression, products, max_iter=2000),
    'svm_linear': fitted(SVC, concatenated, kernel='linear'),
    'svm_rbf': fitted(SVC, concatenated, kernel='rbf'),
}


def evaluate(train: DumpedScores, test: DumpedScores, strategies: list[str]) -> dict[str, float]:
    """Compute the accuracies of each strategy.

    Args:
        train: scores that strategies are fitted to.
        test: scores that they are evaluated on.
        strategies: names in :data:`STRATEGIES`.

    Returns:
        ``acc/<strategy>_top1`` and ``acc/<strategy>_mean1``, the mean over the classes that have
        test videos; ratios in [0, 1].

    Raises:
        ValueError: a file has not the scores of two pathways, or the classes differ.
    """
    for which, dump in (('training', train), ('test', test)):
        if not set(PATHWAYS) <= set(dump.scores):
            raise ValueError(
                f"fuse_scores: the {which} scores must be those of 'local' and 'global', got "
                f'{sorted(dump.scores)}; dump a test of an MBDRecognizer.'
            )
    classes = {which: dump.scores['local'].shape[1] for which, dump in zip(
        ('training', 'test'), (train, test), strict=True)}  # fmt: skip
    if len(set(classes.values())) > 1:
        raise ValueError(
            f'fuse_scores: both files must have scores of the same classes, got {classes}.'
        )
    found = {}
    for name in strategies:
        predicted = STRATEGIES[name](train, test)
        accuracies, _ = class_accuracies(predicted, test.labels, classes['test'])
        found[f'acc/{name}_top1'] = float((predicted == test.labels).mean())
        found[f'acc/{name}_mean1'] = float(np.nanmean(accuracies))
    return found


def table(metrics: dict[str, float], strategies: list[str]) -> str:
    """Format a table in Markdown.

    Args:
        metrics: of :func:`evaluate`.
        strategies: its rows.

    Returns:
        Its lines.
    """
    rows = ['| fusion | top-1 | mean-class |', '|---|---|---|']
    for name in strategies:
        top1, mean1 = (metrics[f'acc/{name}_{kind}'] for kind in ('top1', 'mean1'))
        rows.append(f'| {name} | {top1:.4f} | {mean1:.4f} |')
    return '\n'.join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('train', help='dumped scores of a list of training videos')
    parser.add_argument('test', help='dumped scores of the test videos')
    parser.add_argument('--out', type=Path, help='write the figures to this .json file')
    parser.add_argument(
        '--strategies',
        nargs='+',
        choices=list(STRATEGIES),
        default=list(STRATEGIES),
        metavar='NAME',
        help=f'some of {", ".join(STRATEGIES)}; default: all',
    )
    args = parser.parse_args()
    train, test = load_scores(args.train), load_scores(args.test)
    metrics = evaluate(train, test, args.strategies)
    print(f'{len(train.labels)} training videos, {len(test.labels)} test videos\n')
    print(table(metrics, args.strategies))
    if 'weighted' in args.strategies:
        print('\nweighted: {:.2f} local, {:.2f} global'.format(*choose_weights(train)))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out, json.dumps(metrics, indent=2, sort_keys=True) + '\n')


if __name__ == '__main__':
    main()
