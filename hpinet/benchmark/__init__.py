"""What a network costs: ``python -m hpinet benchmark``."""
