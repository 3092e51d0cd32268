"""Embeddings by InvokeModel, in the form of each family of models."""
