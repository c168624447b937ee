"""Recognizers composed of recognizers."""

from mmaction_kd.models.recognizers.mbd_recognizer import MBDRecognizer

__all__ = ['MBDRecognizer']
