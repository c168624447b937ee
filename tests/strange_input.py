"""What the property-based tests share: few examples, always the same ones."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# What pytest gives a test once may serve all examples; the machine's speed is no property.
SETTINGS = dict(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
QUICK = settings(max_examples=25, **SETTINGS)
FEW = settings(max_examples=6, **SETTINGS)  # each takes a good part of a second
MANY = settings(max_examples=3000, **SETTINGS)

TEXT = st.text(st.characters(exclude_categories=['Cs']), max_size=40)  # what UTF-8 can hold
HOSTILE = st.sampled_from(
    [
        '../../x',
        '/etc/passwd',
        '..',
        '.',
        '',
        'a\0b',
        'a\nb',
        'CON',
        '~',
        'x' * 300,
        '𝒜' * 300,
        '<script>alert(1)</script>',
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        '&lt;b&gt;',
        '$\\frac{',
        ']]>',
        '-->',
    ]
)
NAMES = st.one_of(TEXT, HOSTILE)
