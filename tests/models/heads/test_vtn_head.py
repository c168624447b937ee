import pytest
import torch
from torch import nn

from mmaction_kd.models.heads import VTNHead


def test_logits_equal_the_written_out_network():
    torch.manual_seed(0)
    head = VTNHead(num_classes=5, in_channels=12).eval()
    layers = nn.Sequential(
        nn.LayerNorm(12, eps=1e-5), nn.Linear(12, 12), nn.GELU(), nn.Dropout(0.5), nn.Linear(12, 5)
    ).eval()
    for parameter in layers.parameters():
        nn.init.normal_(parameter)
    head.load_state_dict(dict(zip(head.state_dict(), layers.state_dict().values(), strict=True)))
    feats = torch.randn(4, 12)
    torch.testing.assert_close(head(feats), layers(feats))


def test_half_of_the_hidden_features_are_dropped_in_training():
    head = VTNHead(num_classes=1, in_channels=4000).train()
    with torch.no_grad():
        head.fc.weight.zero_()
        head.fc.bias.fill_(10.0)  # GELU(10) = 10
        head.fc_cls.weight.fill_(1 / 4000)
        head.fc_cls.bias.zero_()
    torch.manual_seed(0)
    logits = head(torch.randn(20, 4000))
    assert logits.mean().item() == pytest.approx(10, rel=0.01)
    assert logits.std().item() == pytest.approx(10 / 4000**0.5, rel=0.5)  # binomial, p = 1/2


def test_initialised_with_std_002_and_zero_biases():
    head = VTNHead(num_classes=400)
    head.init_weights()
    for layer in (head.fc, head.fc_cls):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not layer.bias.any()
