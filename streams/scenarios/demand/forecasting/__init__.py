"""What the demand model is asked, its forecasts, and what stands in for them."""
