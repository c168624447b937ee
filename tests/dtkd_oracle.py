"""Equations 2-13 of DTKD once more, sample by sample, in NumPy float64.

Written from the equations, not from the code: dicts of classes where the code has vectors over all
K, explicit branches for what is responsible and what is degenerate where the code has masks.
"""

import math

import numpy as np


def log_softmax(x):
    x = np.asarray(x, dtype=np.float64)
    top = max(x)
    return x - top - math.log(sum(math.exp(v - top) for v in x))


def teacher_logits(z, classes, head, mask_value):
    """{class: logit} of the classes to which the teacher can give probability."""
    if head == 'full' and mask_value is None:
        return dict(enumerate(z))
    return {c: z[c] if head == 'full' else z[j] for j, c in enumerate(classes)}


def eq3(z, classes, num_classes, head, mask_value, temperature):
    """The logarithm of q_t(k) for every class k; −inf for a class that is masked with −inf."""
    logits = teacher_logits(z, classes, head, mask_value)
    if mask_value is not None and mask_value > -math.inf:
        logits = {c: logits.get(c, mask_value) for c in range(num_classes)}
    names = sorted(logits)
    values = log_softmax([logits[c] / temperature for c in names])
    found = dict(zip(names, values, strict=True))
    return [found.get(c, -math.inf) for c in range(num_classes)]


def eq7(ce, degenerate):
    """CE_norm of the samples {index: CE}."""
    if not ce:
        return {}
    low, high = min(ce.values()), max(ce.values())
    if high == low:
        return dict.fromkeys(ce, degenerate)
    return {i: (v - low) / (high - low) for i, v in ce.items()}


def eq5_8(
    z,
    y,
    teachers,
    num_classes,
    s_alpha=0.3,
    outside_score='teacher',
    ce_norm_scope='subset',
    ce_norm_degenerate=0.0,
    conf_temperature='kd',
    kd_temperature=2.0,
    teacher_head='subset',
    mask_value=-math.inf,
):
    """s[t][i] of every teacher and sample."""
    scores = {}
    conf_t = kd_temperature if conf_temperature == 'kd' else 1.0
    for t, classes in teachers.items():
        ce, conf = {}, {}
        for i, label in enumerate(y):
            row = (z[t][i], classes, num_classes, teacher_head, mask_value)
            conf[i] = math.exp(max(eq3(*row, conf_t)))
            if label in classes or ce_norm_scope == 'batch':
                ce[i] = -eq3(*row, 1.0)[label]
        norm = eq7(ce, ce_norm_degenerate)
        scores[t] = []
        for i, label in enumerate(y):
            if label in classes or outside_score == 'teacher':
                s = s_alpha * conf[i] + (1 - s_alpha) * (1 - norm.get(i, 1.0))
            else:
                s = 1 - s_alpha if outside_score == 'buffer' else 0.0
            scores[t].append(s)
    return scores


def eq9(scores, responsible, order='normalise_then_zero', renormalise=False):
    """{t: w_t} of one sample from its {t: s_t}."""

    def share(s):
        total = sum(s.values())
        if total == 0:
            return {t: float(t == responsible) for t in s}
        return {t: v / total for t, v in s.items()}

    def zero(s):
        return {t: v if t == responsible else 0.0 for t, v in s.items()}

    if order == 'zero_then_normalise':
        return share(zero(scores))
    w = share(scores)
    if order == 'normalise_then_zero':
        w = zero(w)
    return share(w) if renormalise else w


def kl(a, b):
    """KL(a‖b) of two lists of log-probabilities."""
    return sum(math.exp(x) * (x - v) for x, v in zip(a, b, strict=True) if x > -math.inf)


def eq11(w, log_q, log_p, responsible, direction, log_w_term):
    """One sample's w KL(q‖p) (+ w log w), q the teachers' mixture of mass 1."""
    mass = sum(w.values())
    part = {t: v / mass for t, v in w.items()} if mass else {t: t == responsible for t in w}
    q = [sum(part[t] * math.exp(log_q[t][k]) for t in w if part[t]) for k in range(len(log_p))]
    if direction == 'student_teacher':  # where q underflows, its logarithm is still finite
        tops = [max(log_q[t][k] for t in w if part[t]) for k in range(len(log_p))]
        q_log = [
            top + math.log(sum(part[t] * math.exp(log_q[t][k] - top) for t in w if part[t]))
            for k, top in enumerate(tops)
        ]
        distance = kl(list(log_p), q_log)
    else:
        distance = kl([math.log(v) if v else -math.inf for v in q], log_p)
    value = mass * distance
    return value + (mass * math.log(mass) if log_w_term and mass else 0.0)


def eq13(
    z_student,
    z_teachers,
    y,
    teachers,
    num_classes,
    kd_weight=0.4,
    kd_temperature=2.0,
    t_squared=True,
    kl_direction='teacher_student',
    reduction='batchmean',
    log_w_term=False,
    order='normalise_then_zero',
    renormalise=False,
    bskd=False,
    **score,
):
    """L_total, and its KD part α T² L_KD."""
    head = score.get('teacher_head', 'subset')
    mask_value = score.get('mask_value', -math.inf)
    scores = (
        None
        if bskd
        else eq5_8(z_teachers, y, teachers, num_classes, kd_temperature=kd_temperature, **score)
    )
    samples, cross_entropies, owners = [], [], []
    for i, label in enumerate(y):
        owner = next(t for t, classes in teachers.items() if label in classes)
        if bskd:
            w = {t: float(t == owner) for t in teachers}
        else:
            w = eq9({t: s[i] for t, s in scores.items()}, owner, order, renormalise)
        log_q = {
            t: eq3(z_teachers[t][i], classes, num_classes, head, mask_value, kd_temperature)
            for t, classes in teachers.items()
        }
        log_p = log_softmax(z_student[i] / kd_temperature)
        samples.append(eq11(w, log_q, log_p, owner, kl_direction, log_w_term))
        cross_entropies.append(-log_softmax(z_student[i])[label])
        owners.append(owner)
    if reduction == 'subset':
        l_kd = 0.0
        for t in teachers:
            own = [v for v, o in zip(samples, owners, strict=True) if o == t]
            l_kd += sum(own) / len(own) if own else 0.0
    else:
        l_kd = sum(samples) / len(samples) / (num_classes if reduction == 'mean' else 1)
    kd = kd_weight * (kd_temperature**2 if t_squared else 1) * l_kd
    return kd + (1 - kd_weight) * sum(cross_entropies) / len(cross_entropies), kd
