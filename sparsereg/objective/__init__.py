"""What is minimised, its quadratic model and its duality gap. Does not know how it is solved."""
