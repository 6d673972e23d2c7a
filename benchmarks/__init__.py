"""Measurements behind the README's figures, one command each; none of them is a test."""
