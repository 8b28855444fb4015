"""What touches Faust's, aiokafka's and kafka-python's insides."""
