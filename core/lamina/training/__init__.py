"""Training: what `compile` fixes, how data enters, and the one loop behind fit, evaluate and predict."""
