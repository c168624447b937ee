"""Where UCF101 or HMDB51 is, `dataset`, for a study on its three splits."""

_base_ = './procedure.py'

folds = ['split_1', 'split_2', 'split_3']
baseline_config = '{here}/../slowfast_r101_16x8_{dataset}_split1.py'
train_list = 'data/{dataset}/{dataset}_train_{fold}_videos.txt'
test_list = 'data/{dataset}/{dataset}_val_{fold}_videos.txt'
flow_source = '{baseline_config} --cfg-options train_dataloader.dataset.ann_file={train_list}'
fold_options = (
    'train_dataloader.dataset.ann_file={train_list} val_dataloader.dataset.ann_file={test_list} '
    'test_dataloader.dataset.ann_file={test_list}'
)
