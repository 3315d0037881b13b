"""classifiers: the small per-modality networks that several methods train beside the network and drop at inference.

One file per layout of features. Each is built as `Class(width, head_width, out_features, *, ...)`, reads one modality's
`Features` and ends in the linear layer `head`. Whether the features are detached is the caller's affair.
"""
