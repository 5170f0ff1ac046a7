"""Machine learning: everything that loads TensorFlow and Keras. Components import it inside."""
