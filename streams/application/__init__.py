"""The Faust application of a worker, and the parts that it is made of."""
