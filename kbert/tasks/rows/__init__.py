"""Texts as rows of ids without padding, and windows over long ones."""
