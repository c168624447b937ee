"""How much the classes of a data set move by optical flow, and the subsets that this makes (DTKD).

Each step is a file: a flow algorithm (optical_flow, horn_schunck), the frames that it sees
(gray_frames), the mean of a video (video_motion), many videos on all cores (parallel_motion) and
across kills (motion_journal), the videos of a data set (dataset_videos), class means and threshold
(class_motion), and what is written (motion_report, motion_figures).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130, section 3.1.
"""
