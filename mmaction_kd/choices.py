"""Settings that must be one of a few values, or in a range."""

import math


def check_choice(owner: str, key: str, value: object, choices: tuple) -> None:
    """Refuse a setting that is not among its choices, by name.

    Args:
        owner: the component that the user configures.
        key: the setting's name.
        value: what the user gave.
        choices: what is possible.

    Raises:
        ValueError: ``value`` is not in ``choices``.
    """
    if value not in choices:
        raise ValueError(f'{owner}: {key} must be one of {list(choices)}, got {value!r}.')


def check_range(
    owner: str,
    key: str,
    value: float | None,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Refuse a number that is out of its range, not a number or infinite, by name.

    Args:
        owner: the component that the user configures.
        key: the setting's name.
        value: what the user gave; None is for the caller to refuse where it is no choice.
        at_least: the lowest that is possible.
        at_most: the highest that is possible.
        above: what it must be more than.
        below: what it must be less than.

    Raises:
        ValueError: ``value`` is out of the range.

    Example:
        >>> check_range('Dominance', 'momentum', 1.0, 0, below=1)
        Traceback (most recent call last):
        ValueError: Dominance: momentum must be in [0, 1), got 1.0.
    """
    if value is None or (at_least <= value <= at_most and above < value < below):
        return  # neither NaN nor infinity comes here
    if min(at_most, below) < math.inf:
        low = f'[{at_least}' if at_least > above else f'({above}'
        high = f'{at_most}]' if at_most < below else f'{below})'
        words = f'in {low}, {high}'
    else:
        words = f'at least {at_least}' if at_least > above else f'above {above}'
    finite = '' if math.isfinite(value) else ' and finite'
    raise ValueError(f'{owner}: {key} must be {words}{finite}, got {value}.')
