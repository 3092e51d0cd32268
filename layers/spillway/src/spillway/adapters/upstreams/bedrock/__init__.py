"""What is learnt of models on Bedrock, and what their refusals mean, on whichever of its APIs."""
