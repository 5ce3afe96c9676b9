"""Privacy: forget a customer or a call, rewrite raw without them, and prove that nothing is left."""
