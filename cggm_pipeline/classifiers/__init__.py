"""classifiers: the small per-modality networks that several methods train beside the network and drop at inference.

One file per layout of features, built as `Class(width, head_width, out_features, *, ...)`; `map`, for pyramids before a
fusion whose z is a map, as `Class(decoder, out_features)`. Each reads one modality's `Features` and ends in the linear
layer or 1x1 convolution `head`. Whether the features are detached is the caller's affair.
"""
