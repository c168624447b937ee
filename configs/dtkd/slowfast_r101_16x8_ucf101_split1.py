"""SlowFast R101 16x8 on UCF101, split 1: DTKD's baseline, the student without teachers.

    tools/dist_train.sh configs/dtkd/slowfast_r101_16x8_ucf101_split1.py 8

Starts from the Kinetics-400 weights that tools/model_converters/pytorchvideo_slowfast.py makes of
the published ones, but for the 101-way classifier. Expect acc/top1 over all classes, and
acc/static_mean1 and acc/dynamic_mean1 within the subsets.
"""

_base_ = [
    '../_base_/recognizers/slowfast_r101_16x8.py',
    '../_base_/datasets/ucf101_split1.py',
    '../_base_/schedules/sgd_finetune.py',
    '../_base_/default_runtime.py',
]
model = dict(cls_head=dict(num_classes=101), data_preprocessor=_base_.normalization)
load_from = 'work_dirs/slowfast_r101_16x8_k400.pth'
