"""Code that every engine shares: networks, noise, schedules, learning curves, outcomes; prediction and reference models."""
