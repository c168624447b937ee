r"""How sure the local pathway must be for the global one to be left out (MBD's `gate`).

    tools/dist_test.sh CONFIG CHECKPOINT 8 --dump val.pkl --cfg-options \
        test_dataloader.dataset.ann_file=VALIDATION_LIST model.fusion_head.gate=None
    python tools/analysis_tools/gate_threshold.py val.pkl --config CONFIG --out gate

Both pathways must have scored every video of the dump. For each gate, a dominance of the local
pathway below which the global one runs, too: accuracy, and GMACs a video, those of the local
pathway and of the global one's share, over all views (--config: counted as get_flops.py does on
what the test pipeline gives, every frame of every view; or --gmacs LOCAL GLOBAL).

Printed: the gate of the least compute whose accuracy is at least that of both pathways on every
video, and with --tolerance also the one that may lose so much. Set it as
`model.fusion_head.gate`. Written to DIR: gate_curve.csv, gate_curve.png, gate.json.

Choose on videos that the model was not trained on: of its training videos a model is too sure. And
report the accuracy on others: --apply TEST.pkl gives that of the chosen gate. Several dumps are
pooled, such as those of the other folds.

What is saved is the model's compute; the global clip of every video is still decoded.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from get_flops import count, one_view
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.evaluation.dumped_scores import DumpedScores, load_scores
from mmaction_kd.evaluation.gate_curve import GateCurve, cheapest_gate, gate_curve
from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads import AdaptiveFusionHead
from mmaction_kd.registry import MODELS
from mmaction_kd.report.figures.figure import png
from mmaction_kd.report.figures.palette import OTHERS, ROLES
from mmaction_kd.utils.atomic_file import write_atomically

METRICS = dict(top1='top-1 accuracy', mean1='mean-class accuracy')


def pooled(paths: Sequence[str]) -> DumpedScores:
    """Concatenate the scores of several tests.

    Args:
        paths: of dumps, of the same classes.

    Returns:
        Labels and scores.

    Raises:
        ValueError: a dump has not the scores of both pathways, or the classes differ.
    """
    dumps = [load_scores(path) for path in paths]
    for path, dump in zip(paths, dumps, strict=True):
        if not set(PATHWAYS) <= set(dump.scores):
            raise ValueError(
                "gate_threshold: a dump must have the scores of 'local' and 'global' for every "
                f'video, got {sorted(dump.scores)} in {path}; dump a test of an MBDRecognizer with '
                '--cfg-options model.fusion_head.gate=None.'
            )
    classes = {path: d.scores['pred'].shape[1] for path, d in zip(paths, dumps, strict=True)}
    if len(set(classes.values())) > 1:
        raise ValueError(f'gate_threshold: all dumps must be of the same classes, got {classes}.')
    return DumpedScores(
        np.concatenate([dump.labels for dump in dumps]),
        {n: np.concatenate([d.scores[n] for d in dumps]) for n in ('pred', *PATHWAYS)},
    )


def curve_of(
    dump: DumpedScores, settings: Mapping, gates: Sequence[float] | None = None
) -> GateCurve:
    """Compute the curve of one set of videos.

    Args:
        dump: its scores.
        settings: of AdaptiveFusionHead.
        gates: to evaluate; None: all distinct ones.

    Returns:
        See :func:`~mmaction_kd.evaluation.gate_curve.gate_curve`.
    """
    local = dump.scores['local']
    head = AdaptiveFusionHead(local.shape[1], **settings)
    dominance = head.local_alone(torch.from_numpy(local)).dominance['local'].numpy()
    chosen = None if gates is None else np.asarray(gates)
    return gate_curve(dump.labels, local, dump.scores['pred'], dominance, chosen)


def fusion_settings(cfg: Config) -> dict:
    """Read the settings of the config's fusion head.

    Args:
        cfg: of an MBD model.

    Returns:
        Arguments of AdaptiveFusionHead, without a gate.

    Raises:
        ValueError: it has another fusion, or a dominance that is in the checkpoint.
    """
    settings = dict(cfg.model.get('fusion_head', {}))
    kind = settings.pop('type', None)
    settings.pop('gate', None)
    if kind != 'mmaction_kd.AdaptiveFusionHead':
        raise ValueError(
            'gate_threshold: the config must have fusion_head.type=mmaction_kd.AdaptiveFusionHead, '
            f'got {kind}; the scores are needed to compute what the global pathway would add.'
        )
    if settings.get('dominance', {}).get('labels') == 'centers':
        raise ValueError(
            "gate_threshold: the dominance must be that of the scores alone, got labels='centers', "
            'which are in the checkpoint.'
        )
    return settings


def test_gmacs(cfg: Config) -> tuple[float, float]:
    """Count the GMACs of each pathway for one video of the test.

    Args:
        cfg: of an MBD model.

    Returns:
        Local and global, over all views.
    """
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    inputs = one_view(cfg.test_dataloader.dataset.pipeline)
    model = MODELS.build(cfg.model).to('meta')
    local, global_ = (
        count(model.pathways[name], inputs[f'{name}_pathway'])[1] for name in PATHWAYS
    )
    return local, global_


def row(curve: GateCurve, index: int, gmacs: tuple[float, float]) -> dict[str, float]:
    """Format one gate of a curve."""
    share = float(curve.share[index])
    return dict(
        gate=float(curve.gates[index]),
        global_share=share,
        gmacs=gmacs[0] + share * gmacs[1],
        top1=float(curve.top1[index]),
        mean1=float(curve.mean1[index]),
    )


def curve_figure(
    curves: Mapping[str, GateCurve],
    gmacs: tuple[float, float],
    metric: str,
    chosen: Mapping[str, Sequence[Mapping[str, float]]],
) -> Figure:
    """Plot accuracy against compute.

    Args:
        curves: by the name of their videos.
        gmacs: of the local and the global pathway.
        metric: 'top1' or 'mean1'.
        chosen: rows of the chosen gates on each of these.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(7.0, 4.2), layout='constrained')
    axes = figure.add_subplot()
    colours = (ROLES['fused'], OTHERS[1])
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        x, y = gmacs[0] + curve.share * gmacs[1], getattr(curve, metric)
        axes.plot(x, y, color=colour, lw=1.4, label=f'{name} videos')
        axes.axhline(y[-1], color=colour, lw=0.8, ls=':')
        axes.scatter(x[:1], y[:1], color=ROLES['local'], zorder=3, s=28)
        axes.scatter(x[-1:], y[-1:], color=ROLES['global'], zorder=3, s=28)
        for one in chosen[name]:
            axes.scatter(
                one['gmacs'], one[metric], color=colour, marker='D', s=42, zorder=4, ec='white'
            )
    axes.scatter([], [], color=ROLES['local'], s=28, label='local pathway alone')
    axes.scatter([], [], color=ROLES['global'], s=28, label='both, every video (dotted)')
    axes.scatter([], [], color='0.4', marker='D', s=42, ec='white', label='chosen gate')
    axes.set_xlabel('GMACs a video, all views')
    axes.set_ylabel(METRICS[metric])
    axes.set_title('What the gate saves and costs', loc='left')
    axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    return figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('scores', nargs='+', help='dumped scores of validation videos')
    cost = parser.add_mutually_exclusive_group(required=True)
    cost.add_argument('--config', help='of the model: its fusion head, and what its test costs')
    cost.add_argument(
        '--gmacs', nargs=2, type=float, metavar=('LOCAL', 'GLOBAL'), help='of a video, all views'
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument(
        '--metric', choices=METRICS, default='top1', help='accuracy that is kept; default: top1'
    )
    parser.add_argument(
        '--tolerance', type=float, help='also the gate that loses at most so much, such as 0.005'
    )
    parser.add_argument('--apply', metavar='TEST.pkl', help='dump to evaluate the gate on')
    args = parser.parse_args()
    if args.gmacs is not None and not all(0 < cost < math.inf for cost in args.gmacs):
        parser.error(f'--gmacs must be two numbers above 0, got {args.gmacs}')
    if args.tolerance is not None and not args.tolerance >= 0:
        parser.error(f'--tolerance must be at least 0, got {args.tolerance}')
    return args


def main() -> None:
    args = parse_args()
    warnings.filterwarnings('ignore')
    settings, gmacs = {}, tuple(args.gmacs or ())
    if args.config:
        cfg = Config.fromfile(args.config)
        settings = fusion_settings(cfg)
        gmacs = test_gmacs(cfg)
    dump = pooled(args.scores)
    curve = curve_of(dump, settings)
    tolerances = [0.0] + ([args.tolerance] if args.tolerance else [])
    indices = [cheapest_gate(curve, args.metric, tolerance) for tolerance in tolerances]
    gates = [float(curve.gates[index]) for index in indices]
    names = ['none passes', 'all pass'] + [f'within {t:g}' for t in tolerances]

    curves = dict(validation=curve)
    results = dict(validation=[row(curve, i, gmacs) for i in (0, len(curve.gates) - 1, *indices)])
    if args.apply:
        test = pooled([args.apply])
        curves['test'] = curve_of(test, settings)
        # the gates in ascending order, as the function wants them
        wanted = sorted({0.0, 1.0, *gates})
        at = curve_of(test, settings, wanted)
        results['test'] = [row(at, wanted.index(gate), gmacs) for gate in (0.0, 1.0, *gates)]

    print(f'local {gmacs[0]:.3f}, global {gmacs[1]:.3f} GMACs a video')
    for which, rows in results.items():
        print(f'\n{which}: {len((dump if which == "validation" else test).labels)} videos\n')
        print(table(names, rows, sum(gmacs)))
    for tolerance, gate in zip(tolerances, gates, strict=True):
        print(f'\n{METRICS[args.metric]} within {tolerance:g}: model.fusion_head.gate={gate!r}')

    args.out.mkdir(parents=True, exist_ok=True)
    rows = [row(curve, index, gmacs) for index in range(len(curve.gates))]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(args.out / 'gate_curve.csv', lines.getvalue())
    result = {which: dict(zip(names, rows, strict=True)) for which, rows in results.items()}
    write_atomically(args.out / 'gate.json', json.dumps(result, indent=2) + '\n')
    chosen = {which: rows[2:] for which, rows in results.items()}
    figure = curve_figure(curves, gmacs, args.metric, chosen)
    write_atomically(args.out / 'gate_curve.png', png(figure))


def table(names: Sequence[str], rows: Sequence[Mapping[str, float]], both: float) -> str:
    """Format rows in Markdown.

    Args:
        names: one a row.
        rows: see :func:`row`.
        both: GMACs of both pathways.

    Returns:
        Its lines.
    """
    lines = [
        '| gate | dominance | global pathway sees | GMACs | of both | top-1 | mean-class |',
        '|---|---|---|---|---|---|---|',
    ]
    for name, one in zip(names, rows, strict=True):
        lines.append(
            f'| {name} | {one["gate"]:.5g} | {one["global_share"]:.3f} | {one["gmacs"]:.3f} | '
            f'{one["gmacs"] / both:.3f} | {one["top1"]:.4f} | {one["mean1"]:.4f} |'
        )
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
