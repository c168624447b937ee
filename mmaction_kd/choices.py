"""Settings that must be one of a few values."""


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
