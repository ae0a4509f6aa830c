"""What Keras 2 keeps for code that was written for Keras 1."""
