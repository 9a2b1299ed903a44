"""What all engines share: networks, noise, schedules, learning curves, outcomes, prediction and reference models."""
