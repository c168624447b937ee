"""Where HMDB51 is, for a study on its three splits."""

_base_ = './procedure.py'

folds = ['split_1', 'split_2', 'split_3']
baseline_config = '{here}/../slowfast_r101_16x8_hmdb51_split1.py'
train_list = 'data/hmdb51/hmdb51_train_{fold}_videos.txt'
test_list = 'data/hmdb51/hmdb51_val_{fold}_videos.txt'
flow_source = '{baseline_config} --cfg-options train_dataloader.dataset.ann_file={train_list}'
fold_options = (
    'train_dataloader.dataset.ann_file={train_list} val_dataloader.dataset.ann_file={test_list} '
    'test_dataloader.dataset.ann_file={test_list}'
)
distill_options = 's_alpha=0.7 kd_weight=0.2'
paper_name = 'HMDB51 top-1'
