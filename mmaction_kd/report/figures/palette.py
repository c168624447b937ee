"""One colour for each part, in every figure. Okabe and Ito's, for colour-blind readers too."""

ROLES = {
    'local': '#0072b2',
    'global': '#d55e00',
    'fused': '#000000',
    'static': '#0072b2',
    'dynamic': '#d55e00',
    'student': '#000000',
    'run': '#0072b2',
    'baseline': '#999999',
}
OTHERS = ('#000000', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#d55e00', '#999999')
KINDS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#000000')
GAIN, LOSS = '#0072b2', '#d55e00'
"""Better and worse than a baseline."""
