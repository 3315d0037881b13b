"""evaluation: a predictor, a task and batches become metrics, probes and calibrated probabilities.

Nothing here trains the network, chooses a metric, or drops a batch.
"""
