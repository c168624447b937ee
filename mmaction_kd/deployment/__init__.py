"""Recognizers as ONNX files."""

from mmaction_kd.deployment.deployed_model import DeployedMBD, DeployedRecognizer, deployed
from mmaction_kd.deployment.onnx_file import Agreement, compare_onnx, quantize, write_onnx
from mmaction_kd.deployment.pipeline_steps import deployed_steps

__all__ = [
    'Agreement',
    'DeployedMBD',
    'DeployedRecognizer',
    'compare_onnx',
    'deployed',
    'deployed_steps',
    'quantize',
    'write_onnx',
]
