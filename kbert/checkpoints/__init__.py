"""Weights and settings on disk, in and out."""
