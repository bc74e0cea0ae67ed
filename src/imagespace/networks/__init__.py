"""Networks: anything that maps (x_t, t, text) to a prediction of the same shape as x_t."""
