"""What operators correct of an order, each as one guarded, recorded transaction."""
