from mmaction_kd.models.data_preprocessors.distill_data_preprocessor import DistillDataPreprocessor
from mmaction_kd.models.data_preprocessors.pathway_data_preprocessor import PathwayDataPreprocessor

__all__ = ['DistillDataPreprocessor', 'PathwayDataPreprocessor']
