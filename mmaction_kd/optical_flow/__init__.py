"""How much the classes of a data set move by optical flow, and the subsets that this makes (DTKD).

Each step is a file: a flow algorithm (algorithms, horn_schunck), the mean of a video
(video_motion; parallel_motion of many on all cores), across kills (motion_journal), class means and
threshold (class_motion), and the file that is written (motion_report).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130, section 3.1.
"""
