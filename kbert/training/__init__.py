"""Training: schedules, optimizers, several devices, pre-training, fine-tuning."""
