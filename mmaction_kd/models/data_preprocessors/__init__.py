from mmaction_kd.models.data_preprocessors.pathway_data_preprocessor import PathwayDataPreprocessor

__all__ = ['PathwayDataPreprocessor']
