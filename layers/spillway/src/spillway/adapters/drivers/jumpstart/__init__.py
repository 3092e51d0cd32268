"""The JumpStart path: a hub model as an inference component on a SageMaker endpoint that scales to zero."""
