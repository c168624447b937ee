"""Where UCF101 is, for a study on its three splits."""

_base_ = './procedure.py'

folds = ['split_1', 'split_2', 'split_3']
baseline_config = '{here}/../slowfast_r101_16x8_ucf101_split1.py'
train_list = 'data/ucf101/ucf101_train_{fold}_videos.txt'
test_list = 'data/ucf101/ucf101_val_{fold}_videos.txt'
flow_source = '{baseline_config} --cfg-options train_dataloader.dataset.ann_file={train_list}'
fold_options = (
    'train_dataloader.dataset.ann_file={train_list} val_dataloader.dataset.ann_file={test_list} '
    'test_dataloader.dataset.ann_file={test_list}'
)
paper_name = 'UCF101 top-1'
