"""Equations 1-15 of MBD once more, sample by sample, in NumPy float64.

Written from the equations, not from the code: loops where the code has matrices, the distance as
the norm of a difference where the code expands the square.
"""

import numpy as np

OTHER = {'local': 'global', 'global': 'local'}


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def feature(z, space='prob', center_logits=False):
    if space == 'prob':
        return softmax(z)
    return z - z.mean() if center_logits else z


def eq1(f, label_vectors, metric='euclidean', tau=1.0):
    """P_i over the given label vectors."""
    d = np.array([np.linalg.norm(f - y) for y in label_vectors])
    if metric == 'sqeuclidean':
        d = d**2
    return softmax(-d / tau)


def eq2(
    z,
    targets,
    normalizer='classes',
    metric='euclidean',
    space='prob',
    center_logits=False,
    tau=1.0,
    reduce='max',
    labels=None,
):
    """D_i of every sample."""
    classes = np.eye(z.shape[1]) if labels is None else labels
    result = []
    for i in range(len(z)):
        if normalizer == 'classes':
            vectors, own = classes, targets[i]
        else:
            vectors, own = [classes[y] for y in targets], i
        p = eq1(feature(z[i], space, center_logits), vectors, metric, tau)
        result.append(p.max() if reduce == 'max' else p[own])
    return np.array(result)


def eq3_4(d_local, d_global, tie='global'):
    """Index sets G_l, G_g."""
    groups = {'local': [], 'global': []}
    for i, (dl, dg) in enumerate(zip(d_local, d_global, strict=True)):
        if dl == dg:
            groups[tie].append(i)
        else:
            groups['local' if dl > dg else 'global'].append(i)
    return groups


def eq5(z, temperature):
    return softmax(z / temperature)


def eq6(q_teacher, q_student):
    return sum(t * np.log(t / s) for t, s in zip(q_teacher, q_student, strict=True) if t > 0)


def eq7(f_teacher, f_student):
    return sum((t - s) ** 2 for t, s in zip(f_teacher, f_student, strict=True)) / len(f_teacher)


def eq8_11(per_sample, group, total, reduction='group'):
    if not group:
        return 0.0
    return sum(per_sample(i) for i in group) / (len(group) if reduction == 'group' else total)


def eq12_13(
    logits,
    feats,
    targets,
    project,
    groups,
    kl_weight=0.6,
    mse_weight=0.4,
    temperature=1.0,
    t_squared=False,
    teacher='dominant',
    layers='both',
    final_align='kl',
    group_reduction='group',
    projection='student',
    require_teacher_correct=False,
):
    """The distillation terms of L_l and L_g; ``project[a_to_b]`` maps one vector."""
    n = len(targets)
    terms = {}
    for s, t in OTHER.items():
        group = groups[t]
        if teacher != 'dominant':
            group = list(range(n)) if teacher in (t, 'both') else []
        if require_teacher_correct:
            group = [i for i in group if logits[t][i].argmax() == targets[i]]

        def final(i, s=s, t=t):
            if final_align == 'mse':
                return eq7(logits[t][i], logits[s][i])
            kl = eq6(eq5(logits[t][i], temperature), eq5(logits[s][i], temperature))
            return kl * (temperature**2 if t_squared else 1)

        def intermediate(i, s=s, t=t):
            if projection == 'student':
                return eq7(feats[t][i], project[f'{s}_to_{t}'](feats[s][i]))
            return eq7(project[f'{t}_to_{s}'](feats[t][i]), feats[s][i])

        if layers in ('final', 'both'):
            terms[f'{s}/loss_final'] = kl_weight * eq8_11(final, group, n, group_reduction)
        if layers in ('intermediate', 'both'):
            value = eq8_11(intermediate, group, n, group_reduction)
            terms[f'{s}/loss_intermediate'] = mse_weight * value
    return terms


def eq14_15(probs, **dominance):
    """Fused score, w_l, w_g from mean probabilities."""
    n, k = probs['local'].shape
    score, w_local, w_global = np.zeros((n, k)), np.zeros(n), np.zeros(n)
    for i in range(n):
        d = {h: eq1(probs[h][i], np.eye(k), **dominance).max() for h in probs}
        w_local[i] = d['local'] / (d['local'] + d['global'])
        w_global[i] = d['global'] / (d['local'] + d['global'])
        score[i] = w_local[i] * probs['local'][i] + w_global[i] * probs['global'][i]
    return score, w_local, w_global
