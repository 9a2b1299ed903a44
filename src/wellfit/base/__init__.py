"""Basics that every module uses: types, files, JSON, compiled functions."""
