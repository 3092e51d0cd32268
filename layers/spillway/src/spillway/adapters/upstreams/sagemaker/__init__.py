"""SageMaker's real-time endpoints: OpenAI's protocol in the several forms that containers have of it."""
