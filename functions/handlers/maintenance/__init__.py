"""What schedules and operators call."""
