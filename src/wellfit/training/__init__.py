"""Shared by all engines: networks, noise, schedules, learning curves, outcomes; prediction and reference models."""
