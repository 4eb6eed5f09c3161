"""Heads: shallow classifiers on one config's embeddings, which a server loads from files (its --heads DIR).

`python -m hearwire heads` makes such files: `train` from sounds with labels, `import` from what heareval leaves.
"""
