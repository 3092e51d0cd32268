"""The fleet path: EC2 instances in an Auto Scaling group, an engine on each, behind the stack's load balancer."""
