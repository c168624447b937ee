"""The classifier of VTN."""

from mmaction.models.heads import BaseHead
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn

from mmaction_kd.options import Count, NotNegative, Ratio, checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class VTNHead(BaseHead):
    r"""A two-layer classifier on the [CLS] feature of VTN.

    .. math:: z = W_2 \, \text{Dropout}(\text{GELU}(W_1 \, \text{LN}(x)))

    Source: the MLP head of Neimark et al., Video Transformer Network, 2021; initialised
    N(0, 0.02) as MBD states.

    Args:
        num_classes: number of classes K.
        in_channels: width D of the feature.
        dropout_ratio: probability of dropping a hidden feature.
        init_std: standard deviation of the initial weights.
        **kwargs: of MMAction2's ``BaseHead``: the loss, ``average_clips``, ``topk``, ...
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        in_channels: Count = 768,
        dropout_ratio: Ratio = 0.5,
        init_std: NotNegative = 0.02,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.init_std = init_std
        self.norm = nn.LayerNorm(in_channels)
        self.fc = nn.Linear(in_channels, in_channels)
        self.act = nn.GELU()
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Initialise both linear layers with N(0, ``init_std``) weights and zero biases."""
        normal_init(self.fc, std=self.init_std)
        normal_init(self.fc_cls, std=self.init_std)

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Features (N V, D) -> logits (N V, K). MMAction2's extra arguments are ignored."""
        return self.fc_cls(self.dropout(self.act(self.fc(self.norm(x)))))
