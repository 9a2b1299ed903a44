"""Basics that every module uses: types, files, JSON and compiled functions."""
