"""The fleet path: EC2 instances in an Auto Scaling group, vLLM on each, behind the stack's internal load balancer."""
